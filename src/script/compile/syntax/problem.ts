/** Why source cannot be compiled here: its syntax is wrong, or it needs what only a full VM gives. */
export class SyntaxProblem extends Error {
  override readonly name = 'SyntaxProblem';
}
