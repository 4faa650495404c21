// bench/RESULTS.md: the tables, what was measured with what, and what is unfair in whose favour.
import { median } from '../measure.ts'
import { goalLines } from './goals.ts'
import type { Heading } from './heading.ts'
import { type Kept, type KeptRow, us } from './kept.ts'
import { absentOf, marksOf, turnsOf } from './marks.ts'
import { provenanceOf } from './provenance.ts'
import type { Result } from './result.ts'
import { ratioText, standing } from './standing.ts'
import { countText, numberText, rangeText, ranked, timeText } from './table.ts'

const unfair = [
  '**Redis answers before the disk has it.** With `appendfsync everysec` a second of acknowledged work may be lost when the machine dies; each Postgres peer answers after its fsync. In favour of BullMQ on Redis, in every row in which something is put in or ended.',
  '**What is kept differs.** Graphile Worker deletes a job at its end; Millrace keeps the run and each attempt with input, output, times and reasons. In favour of Graphile Worker, in the drains.',
  '**What a task is differs.** A task of Millrace is a step of a run, with a version, a graph and an account; the queues store one row. In favour of the queues.',
  '**A batch of pg-boss ends as one.** In its best configuration a handler gets a thousand jobs, and all are completed, or fail, together; others end one by one. In favour of pg-boss.',
  '**A local queue is held by one process.** With Graphile Worker’s best configuration up to 500 jobs wait in the memory of a process, out of reach for others, for hours if it is killed. In favour of Graphile Worker where one process works, against it in `takeover`.',
  '**Statements are those that clients send,** and of pg-boss also the checks of its deferred foreign keys, one for each job, which the server counts alike. Against pg-boss, in that column alone.',
  '**Restate has a store of its own,** in one server that pushes to its handlers: no Postgres is between, and a table of users cannot be written in the same transaction. Its log is fsynced. In favour of Restate in latency.',
  '**A run of absurd and of OpenWorkflow counts as ended when its function ends,** before that is stored, where client and worker are one process, since their own calls look for the result again at intervals of up to a second; of Millrace, when the result has come back to who started it. In favour of those two.',
  '**Polling is set to 10 ms where it may be.** A service would seldom pay for a hundred looks a second at idle. In favour of DBOS Transact and absurd, in latency; against DBOS Transact where client and worker are apart, since each of fifty runs is looked for so often.',
  '**Who waits for a run elsewhere asks for its result,** where client and worker are apart: with OpenWorkflow once a second, with absurd at intervals that grow, with DBOS Transact each 10 ms; Millrace is told of an end. With fifty runs in flight that bounds how many end. In favour of Millrace, in that row.',
  '**Half load is half of each one’s own.** Whoever passes on more has more to do in that row. Against Millrace wherever it is the fastest.',
  '**Where a run is.** Where client and worker are one process, as in the rows of runs that do not say otherwise, Millrace hands a start over to that worker, already claimed, and the client hears the end from it in memory; both are in the store before. `startWorkflow` of DBOS runs in the process that asks, and waits there for it to come back when it dies. Runs of OpenWorkflow and absurd are claimed as if by another process; Restate’s server calls the worker. In favour of Millrace and of DBOS, in the rows of runs.',
  '**Calls that are under way at once share one.** Starts of one process that come while a call is in hand go together in the next, in one statement and one commit, and so do ends; each waits for its commit. The peers send each call by itself, and so does the Floor from several processes. In favour of Millrace wherever many calls are under way: from several processes, at half load, in runs.',
  '**What a fan-out is.** With DBOS, OpenWorkflow, absurd and Restate a thousand steps of one function in one process; with Millrace a thousand tasks, each of which any worker may claim, fail and repeat; OpenWorkflow joins them in no step of their own, since it has at most a thousand. In favour of the peers.',
  '**Restate sees a process die by its connection**, and the other one listens at the same address of the same machine. In favour of Restate, in `takeover`; it has a store of its own, so that nothing of its rows is in Postgres, and its processor time is counted whole.',
  '**One machine.** Client, workers and stores share its processors, so what a client spends is missing to its server; over a network, whoever asks less often would be further ahead. In favour of peers with many statements a run.',
  '**Handlers do nothing.** Real ones take longer than any engine here. Against nobody, but differences in throughput will seldom be seen in a service.',
  '**We wrote it.** The settings are those that each documentation recommends, and each peer’s file in `peers/` is short: whoever knows one better is asked to mend it.',
]

export function pageOf(kept: Kept): string {
  const rows = Object.values(kept.rows)
  return [
    '# Millrace and its peers',
    '',
    'Written by `npm run bench:peers -- --refresh`; not edited by hand. `npm run bench:peers` measures the same on your machine.',
    '',
    '![How far each peer is from Millrace, row by row](results.svg)',
    '',
    ...standing(kept),
    ...unmeasured(kept),
    ...goalLines(kept),
    ...rows.flatMap((row) => sectionOf(kept, row)),
    '## With what',
    '',
    ...machines(rows),
    ...peers(kept),
    '## How',
    '',
    ...earlierCosts(rows),
    'All peers take turns within one run: each has one turn that warms up and counts statements and commits, then up to five that are timed, after a short piece of work that opens connections again and an `analyze` of what was put in; the value is their median, and least and most say how far they lie apart. Each peer has databases of its own in one server, processes of its own, and the same Node; the server has its default settings but for 500 connections and `pg_stat_statements`, which counts in the first turn alone. Costs are those of a task or a run that ended, of the measured work alone, over the timed turns: processor time of all processes of the peer, and of the whole server with what it does in the background, for databases of the other peers as well; commits are those that wrote to the log, of the whole server as well, where it lets that be read and no checkpoint has taken the log away meanwhile; bytes of log are those of the write-ahead log; memory is the most that one process of the client or worker held, without the server. A kill -9 is waited for by all peers at once, and so has no costs. `–`: not counted, or not in Postgres.',
    '',
    '## What is unfair, in whose favour',
    '',
    ...unfair.map((sentence) => `- ${sentence}`),
    '',
  ].join('\n')
}

/** Nobody is to take a row that is missing for one in which Millrace is first. */
function unmeasured({ known, rows }: Kept): string[] {
  const missing = Object.keys(known)
    .filter((name) => rows[name] === undefined)
    .map((name) => known[name])
  return missing.length === 0 ? [] : [`Not measured yet: ${missing.join('; ')}.`, '']
}

function sectionOf(kept: Kept, row: KeptRow): string[] {
  const { results } = row
  const marks = marksOf(kept, row)
  const ours = results.find(({ peer, profile }) => peer === us && profile === 'best')
  const able = ranked(row, results).filter(({ values }) => values.length > 0)
  const turns = turnsOf(row)
  return [
    `## ${row.label}${marks.length === 0 ? '' : ` (${marks.join('; ')})`}`,
    '',
    `${sentence(row.how)} ${row.unit}, ${row.better} is better${turns === 1 ? '; one turn' : `; ${turns} turns`}.`,
    '',
    '| | median | least to most | to Millrace | cpu, client + server | statements | commits | log | memory | |',
    '|---|---:|---:|---:|---:|---:|---:|---:|---:|---|',
    ...able.map((result) => tableLine(row, result, ours)),
    '',
    [provenanceOf(kept, row), ...without(kept, row)].join(' '),
    '',
  ]
}

function without(kept: Kept, row: KeptRow): string[] {
  const unable = row.results.filter(({ values }) => values.length === 0)
  const best = unable.filter(({ profile }) => profile === 'best')
  // What it can't do in its best configuration it can't do by default either.
  const byDefault = unable.filter(({ peer }) => best.every((other) => other.peer !== peer))
  const absent = absentOf(kept, row)
  return [
    ...best.map(({ peer, cannot }) => `${peer} has no value: ${cannot ?? 'it was not measured'}.`),
    ...byDefault.map(
      ({ peer, cannot }) => `${peer} has none by default: ${cannot ?? 'it was not measured'}.`,
    ),
    ...(absent.length === 0 ? [] : [`Not measured in this row: ${absent.join(', ')}.`]),
  ]
}

function tableLine(row: Heading, result: Result, ours: Result | undefined): string {
  const { peer, profile, values, note, costs } = result
  const name = profile === 'default' ? `${peer}, default` : peer
  const cells = [
    peer === us && profile === 'best' ? `**${name}**` : name,
    numberText(median(values)),
    rangeText(values),
    ours === undefined || ours.values.length === 0 ? '' : ratioText(row, result, ours),
    costs === undefined ? '' : `${timeText(costs.clientCpuMs)} + ${timeText(costs.serverCpuMs)}`,
    costs === undefined ? '' : countText(costs.statements),
    costs === undefined ? '' : countText(costs.commits),
    costs === undefined ? '' : bytes(costs.logBytes),
    costs === undefined ? '' : bytes(costs.peakBytes),
    note ?? '',
  ]
  return `| ${cells.join(' | ')} |`
}

function bytes(value: number | null): string {
  if (value === null) return '–'
  if (value >= 1024 ** 2) return `${Math.round(value / 1024 ** 2)} MB`
  return value >= 10_240 ? `${Math.round(value / 1024)} kB` : `${Math.round(value)} B`
}

function machines(rows: readonly KeptRow[]): string[] {
  const all = [...new Set(rows.map(({ machine }) => machine))]
  const labelsOf = (one: string) => rows.filter(({ machine }) => machine === one).map(({ label }) => label)
  return [...all.map((one) => `- ${one}.${all.length > 1 ? ` (${labelsOf(one).join('; ')})` : ''}`), '']
}

/** Said as long as a row is kept whose costs were reckoned so. */
function earlierCosts(rows: readonly KeptRow[]): string[] {
  if (rows.every(({ measuredWith }) => measuredWith !== undefined)) return []
  return [
    'Rows of which commit and versions are unknown were measured before the costs of a drain were taken from the start of its workers: theirs hold what it cost to put all tasks in as well, divided by those that began. Those of half load hold the looks for what the peer passes on at most, divided by the calls at an even pace alone. Their commits are all transactions, also those that only looked or were woken by a notification. In favour of whoever ends or passes on the most. Their turns began without that piece of work and the `analyze`, and those of whoever had not ended in time in a new place each.',
    '',
  ]
}

function peers(kept: Kept): string[] {
  return [
    '| | version | best | default | keeps |',
    '|---|---|---|---|---|',
    ...Object.entries(kept.peers).map(
      ([name, { version, profiles, keeps }]) =>
        `| ${name} | ${version} | ${profiles.best ?? '–'} | ${profiles.default ?? '–'} | ${keeps} |`,
    ),
    '',
  ]
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
