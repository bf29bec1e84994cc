/** A plugin whose functions pause, halt and throw: what the command line makes of each is tested. */
export default {
  module: "env",
  functions: {
    pause: {
      index: 1,
      params: ["i32"],
      results: ["i32"],
      fuel: { const: 7 },
      call: (caller: { pause(payload: unknown): never }, value: number): never => caller.pause({ value }),
    },
    fail: {
      index: 2,
      params: [],
      results: [],
      call: (): void => {
        throw new Error("the disk is on fire");
      },
    },
    halt: { index: 3, params: [], results: [], call: (caller: { halt(): never }): never => caller.halt() },
  },
};
