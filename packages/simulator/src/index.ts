// The door of the simulator: the real engine in virtual time, with mocked steps.
export {}
