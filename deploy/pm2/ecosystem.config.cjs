// pm2 start ecosystem.config.cjs, in the folder of your project. Migrate before: npx millrace migrate
const both = {
  script: 'node_modules/.bin/millrace',
  // One process each: a cluster of PM2 would share a port, and workers have none.
  exec_mode: 'fork',
  // After its first signal a worker has worker.drainMs, 30 seconds unless told, and some more to say goodbye.
  kill_timeout: 45_000,
  // A wrong command line or configuration: nobody mends that by starting it again.
  stop_exit_codes: [0, 2],
  exp_backoff_restart_delay: 500,
  env: { NODE_ENV: 'production' },
}

module.exports = {
  apps: [
    { ...both, name: 'millrace-server', args: 'start', instances: 1 },
    { ...both, name: 'millrace-worker', args: 'worker', instances: 2 },
  ],
}
