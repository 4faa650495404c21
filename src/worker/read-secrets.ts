// The secrets that handlers of this process have read: what leaves it, by whatever worker, goes past here.
import { Redactor } from '../core/redaction.ts'

export const readSecrets = new Redactor()
