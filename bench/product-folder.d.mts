export const productFolder: string
export function productModule(path: string): string
