// What the millrace command reads in this folder. The database: DATABASE_URL, else the embedded one.
import { defineConfig } from '../../src/sdk/config.ts'
import { territorySweep } from './territory-sweep.ts'

export default defineConfig({ pipelines: [territorySweep] })
