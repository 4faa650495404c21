// Why a peer is ahead of Millrace in a row, where that is known: what remains is what Millrace does besides, or what it refuses to do.
const withoutTheDisk =
  'its server answers before the disk has anything, where a start and a claim of Millrace are a commit each'

const startAlone =
  'a start alone costs our server half a millisecond: half of it is the run, in a partition under twelve checks and four indexes, a quarter its task, the rest the version, pauses and the call itself; in bulk it is a twentieth'
const startAndClaim =
  'a start of Millrace writes a run and a task, its claim changes both, and every call enters a worker and looks for pauses, rules and turns'

const betweenTwoCommits =
  'no more tasks than the rule has slots lie between a claim and an end, which are a commit each and count exactly for all processes, and each task ends by itself, with an attempt of its own and an entry that says what it waited for'

const judged =
  'each task is counted in a row of its key, which an exact limit of all processes needs, besides what a claim and an end write anyway'

const recorded =
  'a job is claimed and deleted; Millrace records the attempt and ends the run besides, with output and times, which is nearly twice the log'
const together =
  'a handler gets a thousand jobs and all of them end as one; each task of Millrace ends by itself, with an attempt, output and times of its own'
const byProcesses = (reason: string) =>
  `both cores are at work all the time, so what a task costs client and server together decides; ${reason}`

const ownHalf =
  'each is given half of what it passes on at most, which is more than ten times as many a second for Millrace: starts share calls, and wait for the call before theirs'

const reasons: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'enqueue-one': {
    'BullMQ on Redis': withoutTheDisk,
    OpenWorkflow: startAlone,
    absurd: startAlone,
    'BullMQ on Postgres': startAlone,
  },
  'clients-1': { 'BullMQ on Redis': withoutTheDisk },
  'clients-4': { 'BullMQ on Redis': withoutTheDisk },
  'clients-8': { 'BullMQ on Redis': withoutTheDisk },
  'start-idle': {
    'BullMQ on Redis': withoutTheDisk,
    'Graphile Worker': `a job is one row and its claim one update; ${startAndClaim}`,
    'BullMQ on Postgres': startAndClaim,
  },
  'enqueue-bulk': {
    'Graphile Worker':
      'a job is one row; a start of Millrace writes two, a run that is kept and a task, under five indexes',
  },
  drain: {
    'BullMQ on Redis': withoutTheDisk,
    'Graphile Worker': recorded,
    'pg-boss': together,
  },
  'workers-2': { 'Graphile Worker': byProcesses(recorded), 'pg-boss': byProcesses(together) },
  'workers-4': { 'Graphile Worker': byProcesses(recorded), 'pg-boss': byProcesses(together) },
  'start-half-load': { 'Graphile Worker': ownHalf, 'pg-boss': ownHalf },
  'limit-one': {
    'BullMQ on Redis': `${withoutTheDisk}; and ${betweenTwoCommits}`,
    'pg-boss': betweenTwoCommits,
  },
  'limit-10000': {
    'pg-boss': judged,
    'Graphile Worker': judged,
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
