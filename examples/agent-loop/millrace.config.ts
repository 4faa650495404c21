// The configuration of the example: npx millrace dev, then millrace run start agent-loop '{"seed": 1, "size": 20, "turns": 500}'
import { defineConfig } from '../../src/sdk/index.ts'
import { agentLoop } from './agent-loop.ts'

export default defineConfig({ pipelines: [agentLoop()] })
