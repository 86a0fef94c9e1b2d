/** What `src/script/compile/README.md` states as different from Lua 5.3, a test each: so here, and so there. */

import t from 'tap';
import { missing } from '../../support/need.js';
import { compiled, inLua } from './judge.js';

const skip = missing('lua5.3', 'lua5.3');

interface Difference {
  readonly what: string;
  readonly program: string;
  /** What is printed here, and by lua5.3: tabs as spaces, lines as written. */
  readonly here: string;
  readonly lua: string;
}

const DIFFERENCES: readonly Difference[] = [
  {
    what: 'whole numbers do not wrap around',
    program: 'print(9007199254740992 * 4096 * 4)',
    here: '1.4757395258968e+20',
    lua: '0',
  },
  {
    what: 'whole floats print without a fraction',
    program: 'print(4 / 2, 2 ^ 3, 3.0, "10" + 5, 1e15, -0.0 .. "")',
    here: '2 8 3 15 1000000000000000 0',
    lua: '2.0 8.0 3.0 15.0 1e+15 -0.0',
  },
  {
    what: 'math.type tells whole numbers as integers, to 2^53',
    program: 'print(math.type(2 ^ 31), math.type(1.0), math.maxinteger)',
    here: 'integer integer 9007199254740991',
    lua: 'float float 9223372036854775807',
  },
  {
    what: 'a NaN prints without a sign',
    program: 'print(0 / 0)',
    here: 'nan',
    lua: '-nan',
  },
  {
    what: 'division of integers by zero is no error',
    program: 'print(pcall(function() return 1 // 0, 1 % 0 end))',
    here: 'true inf nan',
    lua: 'false stdin:1: attempt to divide by zero',
  },
  {
    what: 'bits beyond 53 are lost',
    program: 'print(-256 >> 4 & 0xfff, 2 ^ 53 | 1)',
    here: '0 9007199254740992',
    lua: '4080 9007199254740993',
  },
  {
    what: 'tail calls take stack',
    program:
      'local function f(n) if n == 0 then return "done" end return f(n - 1) end print(pcall(f, 1000000))',
    here: 'false stdin:1: stack overflow',
    lua: 'true done',
  },
  {
    what: 'what is called is looked at before its arguments are evaluated',
    program:
      'local mt = {} local c = setmetatable({}, mt) print(pcall(function() return c((function() mt.__call = type end)()) end))',
    here: "false stdin:1: attempt to call a table value (upvalue 'c')",
    lua: 'true table',
  },
  {
    what: "xpcall's handler runs when the stack is unwound",
    program:
      'print(xpcall(function() local x = nil x() end, function() return select(2, pcall(error, "again", 4)) end))',
    here: 'false stdin:1: again',
    lua: 'false again',
  },
  {
    what: '__mode does nothing, and there is no collectgarbage',
    program:
      'local t = setmetatable({}, { __mode = "k" }) t[{}] = 1 if collectgarbage then collectgarbage() end print(next(t) == nil)',
    here: 'false',
    lua: 'true',
  },
  {
    what: '__gc does nothing',
    program:
      'setmetatable({}, { __gc = function() print("gone") end }) if collectgarbage then collectgarbage() end print("end")',
    here: 'end',
    lua: 'gone\nend',
  },
  {
    what: 'names of variables in errors come from the source',
    program: 'print(pcall(function() local a return ("x")(a) end))',
    here: 'false stdin:1: attempt to call a string value',
    lua: "false stdin:1: attempt to call a string value (constant 'x')",
  },
  {
    what: "a method's arguments are numbered with the object as the first",
    program: 'print(pcall(function() return ("x"):rep({}) end))',
    here: "false stdin:1: bad argument #2 to 'rep' (number expected, got table)",
    lua: "false stdin:1: bad argument #1 to 'rep' (number expected, got table)",
  },
  {
    what: 'a field that was removed and comes back is the last one',
    program:
      'local t = { a = 1, b = 2 } t.a = nil t.a = 3 local keys = "" for k in pairs(t) do keys = keys .. k end print(keys == "ba")',
    here: 'true',
    lua: 'false|true',
  },
  {
    what: 'a loop whose counter reaches 2^53 ends by the budget only',
    program: 'for i = 9007199254740991, 9007199254740992 do end print("end")',
    here: 'E budget exceeded: more than 1000000 instructions in one callback',
    lua: 'end',
  },
];

const plain = (text: string) => text.trimEnd().replaceAll('\t', ' ');

t.test('what differs from Lua 5.3 differs as the README says', { skip }, async (t) => {
  for (const { what, program, here, lua } of DIFFERENCES) {
    t.equal(plain(compiled(program)), here, `${what}: here`);
    t.ok(lua.split('|').includes(plain(inLua(program))), `${what}: in Lua 5.3`);
  }
});
