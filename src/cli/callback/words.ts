// What commands show of the address of a callback: the host, and no path, which often is a secret.

export function targetOf(url: string): string {
  // One that was given in SQL may be no address: that is found by who calls it.
  return URL.canParse(url) ? new URL(url).host : 'no address'
}
