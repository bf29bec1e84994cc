/** A plugin that counts in the data of the run, which it makes itself. */
export default {
  module: "data",
  functions: {
    next: {
      index: 1,
      params: [],
      results: ["i32"],
      call: (caller: { data: { count: number } }): number => caller.data.count++,
    },
  },
};

/** What the function wants to find. */
export function createData(): { count: number } {
  return { count: 41 };
}
