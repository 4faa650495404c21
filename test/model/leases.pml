/*
 * What keeps two workers from doing one task's work twice, or never: claim, heartbeat, lease, sweep, reclaim and the fence.
 *
 * Two workers share two tasks. A worker may hang at any moment and go on later, as a zombie that still believes in what it held. It may
 * be killed, leave by itself, lose the answers to its calls, and come back under a new id; all of it any number of times. Spin tries every
 * order and checks the claims at the end of this file. `npm run model` runs it: as it is, and with one protection taken out at a time.
 *
 *   NO_FENCE        complete_tasks believes whoever calls: no look at worker, attempt and holder
 *   NO_ENTRY_LOCK   end_workers does not wait for a transaction that the worker has under way
 *
 * An action is one transaction, and stands for one SQL function:
 *
 *   register     register_worker                  report: completes   complete_tasks, and the commit of a `tx` step that called it
 *   heartbeat    heartbeat_worker: the lease,             fails       fail_tasks
 *                then sweep, promote, claim               releases    release_tasks
 *   sweep        sweep_workers, sweep_leases,     learn               list_held_tasks
 *                sweep_machine
 *   promote      promote_tasks                    leave               stop_worker
 *   claim        claim_tasks                      reclaim             reclaim_tasks, called by sweep and leave
 *
 * Why one step a transaction is enough. A task changes only under the lock of its row, kept until the commit, by a statement whose
 * conditions name what it expects there. So transactions that meet on a row act one after the other, in the order of their commits. One
 * thing is believed until the commit without a lock on its row: enter_worker has said that the worker is alive. That gap is what the entry
 * lock is for, and here a state of its own: `under_way`. A report needs no such state: its conditions name the holder, and that it too
 * holds off the sweep for a moment is a delay like any other.
 *
 * What is left out, and why nothing hides there:
 *
 *   time          A lease may run out in any silence, however short, and need not in a long one. So whatever the durations are, and
 *                 whether the liveness lock makes it sooner or a doubt of the sweeper later, what can happen is among what happens here. A worker that goes on before
 *                 anybody swept it has lost nothing: its next heartbeat prolongs the lease, and what it does before, it could have done,
 *                 or sent, before it hung.
 *   batches       A call with several tasks judges each row by itself: it is as several calls with nothing in between.
 *   order         A claim takes any one ready task, or none: every order, and every number of slots, is a choice among these.
 *   hold_task     It is asked before the work and without a lock. It saves work, and promises nothing about the commit.
 *   next steps    Chains, joins, maps and the end of the run belong to the transaction that completes a task.
 *   step_id       A third part of the fence: it tells apart the steps of a chain, which share a row. Here a task is one step.
 *   errors        A permanent error makes a task dead sooner than its failures do.
 *   people        Pause and cancel hold a task back, or end it. Here it has to end by itself.
 */

#define WORKERS 2
#define TASKS 2

#ifndef MAX_ATTEMPTS
#define MAX_ATTEMPTS 2
#endif
/* How often the first task may be released. Each release is an attempt more, so it has a bound; the tasks are alike, so one is enough. */
#ifndef RELEASES
#define RELEASES 1
#endif

/*
 * An id is a fresh UUID: two of them are equal or not, and nothing else. So any renaming gives the same behaviour, and few names are enough.
 * A worker's present id is called by its number, 0 or 1. When it takes a new one, the old one becomes GONE; or FORMER, while it still counts
 * as alive. There is one FORMER: so, of the workers that were killed, one at a time waits for its sweep, beside the two that go on.
 */
#define FORMER 2
#define IDS 3
#define GONE 3
#define NOBODY 4

/* ---- What the database keeps. ---- */

mtype = { ready, held, waiting, completed, dead }

mtype state[TASKS] = ready;    /* ready, held: rows of `task`; waiting: of `waiting_task`; dead: a dead letter */
byte holder[TASKS] = NOBODY;   /* task.worker_id */
byte attempt[TASKS];           /* task.attempt, the fencing token: raised by each claim */
byte failures[TASKS];          /* task.failures */
bool alive[IDS];               /* worker.state <> 'gone' */

/*
 * A heartbeat has passed enter_worker and not committed yet: it holds the entry lock, shared. This needs a state of its own only while the
 * worker is silent: one that beats is swept by nobody, so nobody could see the gap.
 */
bool under_way[WORKERS];

/* ---- What the workers know, and the database does not. ---- */

typedef Memory { byte attempt_at[TASKS] }   /* the attempt that it believes it holds, 0 for none */

bool awake[WORKERS] = true;    /* false: hung, cut off, or killed and not started again */
Memory believes[WORKERS];

/* ---- What only this model knows. ---- */

bool calm;                     /* from now on no fault happens; those that did may stay */
byte releases[TASKS];          /* attempts that ended as released */
byte committed[TASKS];         /* the attempts that committed, a bit each */
bool committed_twice;
bool committed_late;
#ifdef NO_FENCE
bool committed_by_zombie;
#endif

#define is_over(t) (state[t] == completed || state[t] == dead)
#define holds(t, id, token) (state[t] == held && holder[t] == id && attempt[t] == token)

/* An answer is lost by a fault, or because its worker hangs for so long that it has given up the call. */
#define may_be_lost(p) (!calm || !awake[p])

/* ---- The SQL functions. Each runs within an atomic step. ---- */

/* fail_tasks and reclaim_tasks alike: the attempt counts, and whoever has no more left is a dead letter. */
inline count_failure(t, next) {
  failures[t]++;
  holder[t] = NOBODY;
  state[t] = (failures[t] < MAX_ATTEMPTS -> next : dead)
}

inline reclaim(t, id) {
  if
  :: state[t] == held && holder[t] == id ->
    count_failure(t, ready);
    printf("  attempt %d of task %d is reclaimed\n", attempt[t], t + 1)
  :: else
  fi
}

/* The worker is gone, and what it held is taken back, in one transaction. */
inline count_as_gone(id) {
  alive[id] = false;
  reclaim(0, id);
  reclaim(1, id)
}

/* Whether the lease of an id can have run out. Nobody heartbeats for a worker that is silent, nor for the former id of one that was killed. */
#define is_silent(id) (id == FORMER || !awake[id])

/* pg_try_advisory_xact_lock in end_workers: whoever has a transaction under way is passed over. */
#ifdef NO_ENTRY_LOCK
#define has_entry_lock(id) false
#else
#define has_entry_lock(id) (id != FORMER && under_way[id])
#endif

inline sweep(id) {
  if
  :: alive[id] && is_silent(id) && !has_entry_lock(id) ->
    if
    :: id == FORMER -> printf("  the lease of a killed worker has run out: it is gone\n")
    :: else -> printf("  the lease of worker %d has run out: it is gone\n", id + 1)
    fi;
    count_as_gone(id)
  :: alive[id] && is_silent(id) && !calm   /* its lease has not run out yet */
  :: else
  fi
}

inline promote(t) {
  if
  :: state[t] == waiting -> state[t] = ready
  :: state[t] == waiting && !calm          /* its delay is not over yet */
  :: else
  fi
}

inline claim(p, t) {
  state[t] = held;
  holder[t] = p;
  attempt[t]++;
  if
  :: believes[p].attempt_at[t] = attempt[t];
    printf("  worker %d claims task %d: attempt %d\n", p + 1, t + 1, attempt[t])
  :: may_be_lost(p) ->
    printf("  worker %d claims task %d: attempt %d, and the answer is lost\n", p + 1, t + 1, attempt[t])
  fi
}

/* All that heartbeat_worker does after it has asked enter_worker. That it prolongs the lease is in `is_silent`. */
inline heartbeat(p) {
  sweep(1 - p);
  sweep(FORMER);
  promote(0);
  promote(1);
  if
  :: state[0] == ready -> claim(p, 0)
  :: state[1] == ready -> claim(p, 1)
  :: (state[0] != ready && state[1] != ready) || !calm   /* no room, a paused handler, or rows that another claim has locked */
  fi
}

/* The guard of everything that reports: enter_worker, and the conditions on the row. */
#define passes_fence(t, id, token) (alive[id] && holds(t, id, token))
#ifdef NO_FENCE
#define passes_fence_of_complete(t, id, token) true
#else
#define passes_fence_of_complete(t, id, token) passes_fence(t, id, token)
#endif

/*
 * The outcome of the attempt `token` arrives. Which it is, is chosen only here: nobody could see it before. What does not pass is answered as
 * lost, and nothing is written.
 */
inline report(t, id, token) {
  if
  :: passes_fence_of_complete(t, id, token) ->
    printf("  attempt %d of task %d completes, reported by worker %d\n", token, t + 1, id + 1);
#ifdef NO_FENCE
    committed_by_zombie = committed_by_zombie || (state[t] == held && !alive[id] && awake[id]);
#endif
    committed_twice = committed_twice || (committed[t] & (1 << token)) != 0;
    committed_late = committed_late || token != attempt[t] || state[t] == dead;
    committed[t] = committed[t] | (1 << token);
    state[t] = completed;
    holder[t] = NOBODY
  :: passes_fence(t, id, token) ->
    count_failure(t, waiting);
    printf("  attempt %d of task %d fails, reported by worker %d\n", token, t + 1, id + 1)
  :: passes_fence(t, id, token) && t == 0 && releases[t] < RELEASES ->
    releases[t]++;
    state[t] = ready;
    holder[t] = NOBODY;
    printf("  attempt %d of task %d is released, by worker %d\n", token, t + 1, id + 1)
  :: else
  fi
}

/* ---- The workers. ---- */

inline forget(p) {
  believes[p].attempt_at[0] = 0;
  believes[p].attempt_at[1] = 0
}

inline rename(t, from, to) {
  if
  :: holder[t] == from -> holder[t] = to
  :: else
  fi
}

/* A process that was just started, or hears that it is gone: it lets go of everything, and takes a new id. */
inline register(p) {
  forget(p);
  rename(0, p, GONE);   /* Finds nothing, where the entry lock does what it is for. */
  rename(1, p, GONE);
  alive[p] = true;
  printf("worker %d registers under a new id\n", p + 1)
}

/*
 * The loop of heartbeats, and the server's end of it: a transaction under way commits or is rolled back without its worker, since the server
 * bounds the time of each.
 */
proctype Heartbeats(byte p) {
  do
  :: atomic { awake[p] && !alive[p] -> register(p) }
  :: atomic { awake[p] && alive[p] -> printf("worker %d heartbeats\n", p + 1); heartbeat(p) }
  :: atomic { under_way[p] -> printf("the heartbeat under way of worker %d commits\n", p + 1); heartbeat(p); under_way[p] = false }
  :: atomic { under_way[p] -> under_way[p] = false }
  od
}

/*
 * A handler ends, by its timeout at the latest, and its outcome is reported. Where the answer is lost it is reported again, perhaps as
 * another outcome, which is more than a worker does. If the worker has claimed the same task again by then, and the answer to that was lost
 * too, this is the report of a former attempt by the very worker that holds the task.
 */
inline handle(p, t) {
  atomic {
    awake[p] && believes[p].attempt_at[t] != 0 ->
    printf("worker %d reports\n", p + 1);
    report(t, p, believes[p].attempt_at[t]);
    if
    :: believes[p].attempt_at[t] = 0
    :: !calm -> printf("  the answer is lost\n")
    fi
  }
}

/* After a lost answer a worker asks what it holds, and again once all that was under way has ended: one look at the truth is enough here. */
inline learn(p, t) {
  atomic {
    awake[p] && alive[p] && state[t] == held && holder[t] == p && believes[p].attempt_at[t] != attempt[t] ->
    believes[p].attempt_at[t] = attempt[t];
    printf("worker %d asks what it holds, and learns of task %d\n", p + 1, t + 1)
  }
}

proctype Handlers(byte p) {
  do
  :: handle(p, 0)
  :: handle(p, 1)
  :: learn(p, 0)
  :: learn(p, 1)
  od
}

/* ---- Faults. ---- */

/* SIGSTOP, a long pause, a cut network: between two heartbeats, or within one. */
inline hang(p) {
  atomic {
    !calm && awake[p] ->
    awake[p] = false;
    if
    :: printf("worker %d hangs\n", p + 1)
    :: alive[p] -> under_way[p] = true; printf("worker %d hangs, with a heartbeat under way\n", p + 1)
    fi
  }
}

/* Once the transaction that it left has ended; one that ends later is as a new heartbeat. */
inline go_on(p) {
  atomic { !calm && !awake[p] && !under_way[p] -> awake[p] = true; printf("worker %d goes on\n", p + 1) }
}

/* What it had sent before it hung takes its time. What a killed one had sent is no other case: until its sweep it came in time, then too late. */
inline arrive(p, t) {
  atomic {
    !calm && !awake[p] && believes[p].attempt_at[t] != 0 ->
    printf("a report arrives that worker %d had sent\n", p + 1);
    report(t, p, believes[p].attempt_at[t])
  }
}

/* What it held stays with its id, now a former one, until that is swept. Started again, it goes on under a new one. */
inline die(p) {
  atomic {
    !calm && alive[p] && !under_way[p] && !alive[FORMER] ->
    awake[p] = false;
    forget(p);
    alive[p] = false;
    alive[FORMER] = true;
    rename(0, p, FORMER);
    rename(1, p, FORMER);
    printf("worker %d is killed\n", p + 1)
  }
}

/* Somebody stops it, or it counts itself as gone, since its lease is over by its own clock. */
inline leave(p) {
  atomic { !calm && awake[p] && alive[p] -> printf("worker %d leaves\n", p + 1); count_as_gone(p); forget(p) }
}

/* Somebody sees to it that one of them runs. The other may be away for ever. */
inline start_again(p) {
  atomic { !awake[0] && !awake[1] && !under_way[p] -> awake[p] = true; printf("worker %d is started again\n", p + 1) }
}

proctype World() {
  do
  :: hang(0)
  :: hang(1)
  :: go_on(0)
  :: go_on(1)
  :: arrive(0, 0)
  :: arrive(0, 1)
  :: arrive(1, 0)
  :: arrive(1, 1)
  :: die(0)
  :: die(1)
  :: leave(0)
  :: leave(1)
  :: start_again(0)
  :: start_again(1)
  :: !calm -> calm = true
  od
}

init {
  atomic {
    run Heartbeats(0);
    run Heartbeats(1);
    run Handlers(0);
    run Handlers(1);
    run World()
  }
}

/* ---- The claims. ---- */

/* No attempt commits a second time. */
ltl one_commit { [] !committed_twice }

/* Only the latest attempt of a task commits, and none of a task that was given up. */
ltl latest_commits { [] !committed_late }

/*
 * Failures have a bound, and at the bound the task is dead. They count each attempt that ended, except those that completed or were released:
 * the right side is what is left of the tokens that were given out, so this also says that each attempt ends once.
 */
#define counts(t) (failures[t] <= MAX_ATTEMPTS && (state[t] == dead) == (failures[t] == MAX_ATTEMPTS) \
  && failures[t] == attempt[t] - releases[t] - (state[t] == completed) - (state[t] == held))
ltl failures_bounded { [] (counts(0) && counts(1)) }

/*
 * Whatever happened before: once no more faults happen, every task ends. Under weak fairness, so that a process which can go on does. Which
 * of its steps it takes is free; but after the faults, what competes within a process with something that must happen, happens only so often.
 */
ltl every_task_ends { <> calm -> <> (is_over(0) && is_over(1)) }

#ifdef NO_FENCE
/* Part of latest_commits. By itself its shortest offence is the story of a zombie: gone, awake again, and over the work of its heir. */
ltl zombies_refused { [] !committed_by_zombie }
#endif
