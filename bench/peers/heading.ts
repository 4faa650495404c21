// What a row says about itself: on the terminal, on the page, and beside its values in results.json.
export interface Heading {
  /** As the table says it. */
  readonly label: string
  readonly unit: string
  readonly better: 'more' | 'less'
  /** How it is measured, in a sentence without its point. */
  readonly how: string
}
