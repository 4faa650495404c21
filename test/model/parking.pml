/*
 * What keeps a step that waits from sleeping for ever, and from running twice: parking, a signal sent while it parks, the timeout of its
 * wait, waking, and a worker that is lost meanwhile.
 *
 * One step waits for a signal, twice, one after the other; the first wait has a timeout. Two signals are sent under one name, whenever it may
 * be. Two workers serve the step; any of them may hang, be swept, come back under a new id, and lose the answers to its calls, which it
 * sends again. Spin tries every order and checks the claims at the end. `npm run model` runs it: as it is, and with one protection
 * taken out at a time. What leases.pml leaves out is here, and the other way round: claims, leases and the fence as such are modelled there.
 *
 *   NO_NAME_LOCK   lock_signals and send_signal don't exclude each other by the name of the signal
 *   NO_ROW_LOCK    send_signal does not lock the parked task with lock_waits before it looks at the wait again
 *   NO_RAISE       claim_tasks does not raise the attempt of a task that woke up
 *
 *   park         park_tasks: lock_signals, the fence, register_waits, take_signals   wake       wake_tasks
 *   send         send_signal: find_signal_waits, lock_waits, resolve_waits           time out   promote_tasks, expire_waits
 *   claim        claim_tasks                                                         sweep      sweep_workers, reclaim_tasks
 *   complete     complete_tasks, leave_waits
 *
 * A transaction that reads in one statement and writes in a later one has a step for each, and shows nothing before its commit: so what
 * another one commits in between is not seen where the locks allow it. What reads and writes in one statement is one step.
 *
 *   rows         There is one task. How many rows it has, ready or parked, is counted, and not assumed.
 *   signals      They are alike: what counts is how many are kept, not which.
 *   ends         Any-of and all-of are several waits of one parking. Each is ended by itself, under the same lock of the task's row.
 *   people       Approvals, called runs and endpoints end a wait as a signal does, but none of them can come before its wait was stored.
 *   hand-over    A called run that ends may bring the step back to the worker whose call ended it: leased by wake_tasks in the transaction
 *                that wakes it, under that worker's entry lock. Whoever sends may be in such a call here. Where its answer is lost, the
 *                worker asks what it holds (list_held_tasks): a worker without an answer knows of it later here, or never.
 */

#define WAITS 2
#define SIGNALS 2
#define ATTEMPTS 8

#ifndef FAULTS
#define FAULTS 2
#endif

/* Whoever may hold the lock of the task's row: the workers by their numbers. */
#define SENDER 2
#define CLOCK 3
#define FREE 4
#define NOBODY 4

/* ---- What the database keeps. ---- */

byte rows_task = 1;            /* rows of `task`, ready or held */
byte rows_parked;              /* rows of `waiting_task` */
byte holder = NOBODY;
byte attempt;
bool done;
bool open[WAITS];              /* rows of `wait` */
bool checkpoint[WAITS];
byte kept;                     /* signals that nobody has taken */
bool alive[2] = true;

/* Locks. */
byte sharers;                  /* of the name: those who park */
bool alone;                    /* of the name: who sends */
byte row_lock = FREE;
bool entered[2];               /* entry locks */

/* ---- What the workers know. ---- */

bool awake[2] = true;
byte believes[2];              /* the attempt that it runs, 0 for none */
byte unanswered[2];            /* the attempt whose parking was not answered */
byte unanswered_wait[2];

/* ---- What only this model knows. ---- */

bool calm;
byte faults;
byte claims_made;
byte claim_of[2];              /* the number of the claim behind what it believes */
byte claim_unanswered[2];
byte results[WAITS];           /* how often a wait ended */
byte sent;
bool token_reused;
bool stale_report;
bool given[ATTEMPTS];
byte unheard = NOBODY;         /* who was handed the step, and has not heard of it */
byte claim_unheard;

#define is_ready (rows_task > 0 && holder == NOBODY)
#define nothing_under_way (row_lock == FREE && !alone && sharers == 0)
#define next_wait (!checkpoint[0] -> 0 : 1)
#define is_fault (!calm && faults < FAULTS)

/* ---- Workers. ---- */

inline lease(p) {
#ifdef NO_RAISE
  if
  :: (results[0] + results[1] == 0) -> attempt++
  :: else
  fi;
#else
  attempt++;
#endif
  token_reused = token_reused || given[attempt];
  given[attempt] = true;
  claims_made++;
  holder = p
}

inline claim(p) {
  lease(p);
  believes[p] = attempt;
  claim_of[p] = claims_made;
  printf("worker %d claims the step: attempt %d\n", p + 1, attempt)
}

#define passes_fence(p, token) (alive[p] && rows_task > 0 && holder == p && attempt == token)

/* The answer of the call that woke the step comes, or what the worker holds was asked for. */
inline hear(p) {
  if
  :: passes_fence(p, attempt) && claim_unheard == claims_made -> believes[p] = attempt; claim_of[p] = claims_made; printf("worker %d hears that it holds the step: attempt %d\n", p + 1, attempt)
  :: else
  fi;
  unheard = NOBODY;
  claim_unheard = 0
}

inline note_report(number) {
  stale_report = stale_report || number != claims_made
}

/* The result is there once, whoever brings it. */
inline end_wait(w) {
  open[w] = false;
  checkpoint[w] = true;
  results[w]++
}

inline leave_transaction(p) {
  sharers = sharers - took_name;
  took_name = 0;
  row_lock = (row_lock == p -> FREE : row_lock);
  entered[p] = false
}

/*
 * One transaction at the server, which ends whether its worker waits for it or not. It is rolled back where the connection was lost; the
 * worker sends it again, as it does where only the answer was lost.
 */
inline park(p, token, w, number) {
  atomic { entered[p] = true };
#ifndef NO_NAME_LOCK
  atomic { !alone -> sharers++; took_name = 1 };
#endif
  if
  :: atomic { row_lock == FREE && passes_fence(p, token) -> row_lock = p };
     /* take_signals looks, then the transaction goes on. */
     atomic { sees = kept > 0 };
     if
     :: atomic {
          note_report(number);
          if
          :: checkpoint[w]
          :: !checkpoint[w] && sees -> kept--; end_wait(w)
          :: else -> open[w] = true; rows_task--; rows_parked++
          fi;
          holder = NOBODY;
          leave_transaction(p);
          if
          :: rows_parked > 0 -> printf("attempt %d parks, by worker %d, for wait %d\n", token, p + 1, w + 1)
          :: else -> printf("attempt %d parks, by worker %d, and is ready again: what it waits for is there\n", token, p + 1)
          fi;
          answered = true
        }
     :: atomic { is_fault -> faults++; leave_transaction(p); answered = false; printf("the parking of worker %d is rolled back\n", p + 1) }
     fi
  :: atomic { row_lock == FREE && !passes_fence(p, token) -> leave_transaction(p); answered = true; printf("attempt %d is too late to park: lost\n", token) }
  fi
}

proctype Worker(byte p) {
  bit took_name;
  bool sees;
  bool answered;
  byte waits_for;
end:
  do
  :: atomic { awake[p] && alive[p] && believes[p] == 0 && is_ready && (row_lock == FREE || row_lock == SENDER) -> claim(p) }
  :: atomic { awake[p] && believes[p] != 0 && checkpoint[0] && checkpoint[1] && row_lock == FREE ->
       if
       :: passes_fence(p, believes[p]) ->
          note_report(claim_of[p]);
          rows_task--;
          holder = NOBODY;
          done = true;
          printf("attempt %d completes, reported by worker %d\n", believes[p], p + 1)
       :: else -> printf("attempt %d is too late to complete: lost\n", believes[p])
       fi;
       believes[p] = 0
     }
  :: atomic { awake[p] && believes[p] != 0 && !(checkpoint[0] && checkpoint[1]) -> waits_for = next_wait };
     park(p, believes[p], waits_for, claim_of[p]);
     atomic {
       if
       :: answered -> believes[p] = 0
       :: !answered || is_fault ->
          unanswered[p] = believes[p];
          unanswered_wait[p] = waits_for;
          claim_unanswered[p] = claim_of[p];
          if
          :: answered -> faults++
          :: else
          fi;
          believes[p] = 0;
          printf("worker %d has no answer\n", p + 1)
       fi;
       waits_for = 0
     }
  :: atomic { awake[p] && alive[p] && unheard == p && believes[p] == 0 -> hear(p) }
  :: atomic { awake[p] && unanswered[p] != 0 -> printf("worker %d parks attempt %d again\n", p + 1, unanswered[p]) };
     park(p, unanswered[p], unanswered_wait[p], claim_unanswered[p]);
     atomic {
       if
       :: answered -> unanswered[p] = 0; unanswered_wait[p] = 0; claim_unanswered[p] = 0
       :: else
       fi
     }
  :: atomic { awake[p] && !alive[p] ->
       alive[p] = true;
       believes[p] = 0;
       unheard = (unheard == p -> NOBODY : unheard);
       unanswered[p] = 0;
       unanswered_wait[p] = 0;
       claim_unanswered[p] = 0;
       printf("worker %d registers under a new id\n", p + 1)
     }
  od
}

/* ---- Signals. ---- */

proctype Sender() {
  byte found;
  bool is_open;
  bool is_parked;
  do
  :: atomic { sent < SIGNALS -> sent++ };
#ifndef NO_NAME_LOCK
     atomic { sharers == 0 -> alone = true };
#endif
     atomic { found = (open[0] -> 0 : (open[1] -> 1 : NOBODY)) };
     if
     :: found == NOBODY -> is_open = false
     :: else ->
#ifndef NO_ROW_LOCK
        atomic { row_lock == FREE -> row_lock = SENDER };
#endif
        atomic { is_open = open[found]; is_parked = rows_parked > 0 }
     fi;
     atomic {
       if
       :: is_open ->
          end_wait(found);
          if
          :: is_parked -> rows_parked--; rows_task++; printf("a signal ends wait %d, and wakes the step\n", found + 1)
          :: is_parked && alive[0] && unheard == NOBODY ->
             rows_parked--;
             rows_task++;
             lease(0);
             unheard = 0;
             claim_unheard = claims_made;
             printf("the end of a called run ends wait %d, and hands the step to worker 1: attempt %d\n", found + 1, attempt)
          :: else -> printf("a signal ends wait %d of a step that is awake\n", found + 1)
          fi
       :: else -> kept++; printf("a signal comes, and is kept\n")
       fi;
       alone = false;
       row_lock = (row_lock == SENDER -> FREE : row_lock);
       is_open = false;
       is_parked = false;
       found = 0
     }
  :: sent == SIGNALS -> break
  od
}

/* ---- Time: what is due of the first wait, where nobody has locked the row. ---- */

proctype Clock() {
  do
  :: atomic { rows_parked > 0 && open[0] && row_lock == FREE -> row_lock = CLOCK };
     atomic {
       rows_parked--;
       rows_task++;
       if
       :: open[0] -> end_wait(0); printf("wait 1 times out, and the step wakes\n")
       :: else
       fi;
       row_lock = FREE
     }
  :: calm -> break
  od
}

/* ---- Faults, and the sweep. ---- */

inline sweep(p) {
  atomic {
    !awake[p] && alive[p] && !entered[p] && row_lock == FREE ->
    alive[p] = false;
    if
    :: holder == p -> holder = NOBODY; printf("worker %d is swept, and attempt %d is reclaimed\n", p + 1, attempt)
    :: else -> printf("worker %d is swept\n", p + 1)
    fi
  }
}

proctype World() {
end:
  do
  :: sweep(0)
  :: sweep(1)
  :: atomic { is_fault && awake[0] -> faults++; awake[0] = false; printf("worker 1 hangs\n") }
  :: atomic { is_fault && awake[1] -> faults++; awake[1] = false; printf("worker 2 hangs\n") }
  :: atomic { !awake[0] -> awake[0] = true; printf("worker 1 goes on\n") }
  :: atomic { !awake[1] -> awake[1] = true; printf("worker 2 goes on\n") }
  :: !calm -> calm = true
  od
}

init {
  atomic {
    run Worker(0);
    run Worker(1);
    run Sender();
    run Clock();
    run World()
  }
}

/* ---- The claims. ---- */

/* A step is parked only as long as it waits for something that has not come. */
ltl no_wake_up_lost { [] !(nothing_under_way && rows_parked > 0 && (kept > 0 || !(open[0] || open[1]))) }

/*
 * It is in one place: on a queue or in somebody's hands, parked, or done. And each wait ends once, with the signal or with its timeout: no
 * signal is taken for a wait that has ended.
 */
ltl woken_once { [] (rows_task + rows_parked + done == 1 && results[0] <= 1 && results[1] <= 1 && kept + results[0] + results[1] <= SIGNALS + 1) }

/* Each time it runs, also after a wake, it does so under an attempt that it never had; and whoever parks or completes it, does so for the latest. */
ltl latest_parks { [] (!token_reused && !stale_report) }

#ifdef NO_RAISE
/* Part of latest_parks. By itself its shortest offence is the story of a parking that is sent again, and parks the run that came after it. */
ltl stale_refused { [] !stale_report }
#endif

/* Whatever happened before: once no more faults happen, the step completes. */
ltl every_step_wakes { <> calm -> <> done }
