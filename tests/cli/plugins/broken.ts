/** Not a plugin: its function has no index. */
export default { module: "env", functions: { pause: { params: [], results: [], call: () => {} } } };
