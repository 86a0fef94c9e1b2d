/** Fengari ships no types: its C-like API is declared here as far as the runtime uses it. */
declare module 'fengari/src/*.js' {
  // biome-ignore lint/suspicious/noExplicitAny: an untyped third-party module; `fengari.ts` narrows what leaves it.
  const module: any;
  export default module;
}
