// What a peer is: how it is opened in a process, what it can do there, and why it can't do the rest.

/** In the best configuration that its own documentation gives, or as it is after its first page. */
export type Profile = 'best' | 'default'

/** The rows of the table; each is measured as its file in rows/ says. */
export type RowName =
  | 'enqueue-one'
  | 'enqueue-bulk'
  | 'clients-1'
  | 'clients-4'
  | 'clients-8'
  | 'drain'
  | 'workers-2'
  | 'workers-4'
  | 'start-idle'
  | 'start-half-load'
  | 'limit-one'
  | 'limit-10000'
  | 'noisy-tenant'
  | 'held-snapshot'
  | 'growth-1m'
  | 'growth-10m'
  | 'three-steps-50'
  | 'three-steps-500'
  | 'three-steps-idle'
  | 'three-steps-apart'
  | 'fan-out-1000'
  | 'steps-1000'
  | 'takeover'

export interface Peer {
  /** As its maker writes it. */
  readonly name: string
  /** Whose versions are named in the results, the first before all. */
  readonly packages: readonly string[]
  /** Where it keeps its tasks: decides whose processor time, commits and log are counted. */
  readonly store: Store
  /** Its settings in a sentence each, with the place in its documentation that gives them. */
  readonly profiles: Readonly<Partial<Record<Profile, string>>>
  /** What is left of a task after its end. */
  readonly keeps: string
  /** What the row `takeover` waits for: a task of `startWorker`, or a run of `startDurable`. */
  readonly takesOver: 'tasks' | 'runs'
  /** Why it has no value in a row; rows that need a method which it lacks must be named here. */
  readonly cannot: Readonly<Partial<Record<RowName, string>>>
  /** Why it has no value in the others either: what it needs is missing on this machine. */
  readonly notHere?: string
  /** Starts a server that is neither Postgres nor Redis; called once a row in the parent, with a temporary folder of its own. */
  readonly serve?: (folder: string) => Promise<OwnServer>
  /** Connects in a process of its own. Loads the library here, not where the file is imported: the parent reads the file as well. */
  readonly open: (options: OpenOptions) => Promise<Opened>
}

type Store = 'postgres' | 'redis' | 'own'

export interface OwnServer {
  readonly url: string
  /** Whose processor time is counted, with that of its children. */
  readonly processId: number
  readonly stop: () => Promise<void>
}

export interface OpenOptions {
  readonly place: Place
  readonly profile: Profile
  readonly setup: Setup
}

/** Where the stores of one peer in one row are: a Postgres database and a Redis number of its own, empty before `prepare`. */
interface Place {
  readonly postgresUrl: string
  readonly redisUrl: string
  /** What `serve` gave, or nothing. */
  readonly serverUrl: string
}

/** What the row asks for, the same in all processes. */
export interface Setup {
  /** At most so many tasks at once: of each key, or of all. */
  readonly limit?: { readonly capacity: number; readonly perKey: boolean }
  /** Keys are tenants, which take turns. */
  readonly turns?: boolean
  /** A process is killed, and another one is to look for what it had in hand. */
  readonly kills?: boolean
  /** Tasks are only put in: nobody works, and nobody needs to be woken or called. */
  readonly noWorkers?: boolean
}

export interface Task {
  readonly n: number
  /** What limits and turns go by. */
  readonly key?: string
}

/** A peer in one process. What a peer has no method for is named in its `cannot`. */
export interface Opened {
  /** Makes tables, queues and rules: called once a row, in the first process. */
  readonly prepare: () => Promise<void>
  /** One task, acknowledged when the promise is kept. */
  readonly enqueue?: (task: Task) => Promise<void>
  /** Many, in the fastest way that its documentation has. */
  readonly enqueueMany?: (tasks: readonly Task[]) => Promise<void>
  /** Begins to work off tasks. */
  readonly startWorker?: (options: WorkerOptions) => Promise<Running>
  /** Whether the end of every task so far is recorded. */
  readonly allRecorded?: () => Promise<boolean>
  /** So many tasks that ended days ago, as the peer itself would have left them. */
  readonly fillHistory?: (count: number) => Promise<void>
  /** Client and worker for runs of durable steps, or one of the two, in this process. */
  readonly startDurable?: (options: DurableOptions) => Promise<Durable>
  readonly close: () => Promise<void>
}

export interface WorkerOptions {
  /** Called at the beginning of each task; its promise is awaited, then the task is done. */
  readonly handler: (task: Task) => void | Promise<void>
  /** How many at once in this process; left out: what the profile says. */
  readonly slots?: number
}

export interface Running {
  /** After the tasks in hand. */
  readonly stop: () => Promise<void>
}

export interface DurableOptions {
  /** As many runs as that are in flight at most. */
  readonly inFlight: number
  readonly role: DurableRole
  /** Called in the first step of each run of three; its promise is awaited. */
  readonly onFirstStep?: () => void | Promise<void>
}

/** Who starts runs and waits for their results, who works, or both in one process. */
export type DurableRole = 'both' | 'client' | 'worker'

export interface Durable extends Running {
  /** Starts a run of three steps, each with a small result that is durable before the next begins, and waits for the run's result. */
  readonly threeSteps: () => Promise<void>
  /** One run: so many steps side by side, their results joined in one step after them. */
  readonly fanOut?: (width: number) => Promise<void>
  /** One run: so many steps in a row, each durable before the next. */
  readonly manySteps?: (count: number) => Promise<void>
}
