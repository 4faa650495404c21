// The pipelines, for edge functions and for the workers that run their other steps: an edge worker takes only what is on queue `edge`.
import { pipeline } from 'millrace'

export const pipelines = [
  pipeline('welcome')
    .http('write', {
      url: 'https://example.org/letters',
      secret: 'LETTER_SECRET',
      timeout: '1d',
      queue: 'edge',
    })
    .http('send', {
      url: 'https://example.org/mails',
      secret: 'LETTER_SECRET',
      timeout: '1d',
      queue: 'edge',
    }),
]
