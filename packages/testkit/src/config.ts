// Settings of the test kit.
/** STEPFLEET_TEST_REDIS=docker: tests use containers where a Docker engine answers. */
export const wantsDocker = (): boolean => process.env.STEPFLEET_TEST_REDIS === 'docker'
