// Why a peer is ahead of Millrace in a row, where that is known: what remains is what Millrace does besides, or what it refuses to do.
const withoutTheDisk =
  'its server answers before the disk has anything, where a start and a claim of Millrace are a commit each'

const reasons: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'enqueue-one': { 'BullMQ on Redis': withoutTheDisk },
  'clients-1': { 'BullMQ on Redis': withoutTheDisk },
  'clients-4': { 'BullMQ on Redis': withoutTheDisk },
  'clients-8': { 'BullMQ on Redis': withoutTheDisk },
  'start-idle': {
    'BullMQ on Redis': withoutTheDisk,
    'Graphile Worker':
      'a job is one row and its claim one update; a start of Millrace writes a run and a task, its claim changes both, and every call enters a worker and looks for pauses, rules and turns',
  },
  'enqueue-bulk': {
    'Graphile Worker':
      'a job is one row; a start of Millrace writes two, a run that is kept and a task, under five indexes',
  },
  drain: {
    'BullMQ on Redis': withoutTheDisk,
    'Graphile Worker':
      'a job is claimed and deleted; Millrace records the attempt and ends the run besides, with output and times, which is nearly twice the log',
  },
  takeover: {
    Restate:
      'it takes a broken connection for a dead process; Millrace asks for a second of silence besides, since a process whose connection was cut still works, and what it does to the outside would be done twice',
  },
}

/** A clause, or nothing where none is known. */
export function reasonOf(row: string, peer: string): string | undefined {
  return reasons[row]?.[peer]
}
