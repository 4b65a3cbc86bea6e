// The door of the command line.
export { main } from './program.ts'
