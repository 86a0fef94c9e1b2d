/** Modbus RTU units that are not our code: pymodbus, in a process of its own. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';

/** The system's Python: Debian's modules are not in others that may come first in PATH. */
const PYTHON = '/usr/bin/python3';
const PACKAGES = 'python3-pymodbus python3-serial python3-serial-asyncio';

/** Why pymodbus cannot be used, for tap's `skip`; false when it can. Throws when CI is 'true'. */
export function pymodbusMissing(): string | false {
  if (spawnSync(PYTHON, ['-c', 'import pymodbus.server']).status === 0) return false;
  const reason = `needs pymodbus: apt-get install ${PACKAGES}`;
  if (process.env.CI === 'true') throw new Error(reason);
  return reason;
}

/** The first registers of a unit's tables; the rest of 0 to 1023 is 0. */
export interface Unit {
  input?: Record<number, number>;
  holding?: Record<number, number>;
}

const SCRIPT = `
import asyncio, json, sys
from pymodbus.datastore import ModbusSequentialDataBlock as Block, ModbusServerContext, ModbusSlaveContext
from pymodbus.server.async_io import ModbusSerialServer
from pymodbus.transaction import ModbusRtuFramer

def block(values):
    return Block(0, [values.get(str(i), 0) for i in range(1024)])

def unit(tables):
    return ModbusSlaveContext(zero_mode=True, di=block({}), co=block({}),
        ir=block(tables.get("input", {})), hr=block(tables.get("holding", {})))

async def main():
    units = {int(number): unit(tables) for number, tables in json.loads(sys.argv[2]).items()}
    server = ModbusSerialServer(ModbusServerContext(slaves=units, single=False), ModbusRtuFramer,
        port=sys.argv[1], baudrate=9600, ignore_missing_slaves=True)
    await server.start()
    print("ready", flush=True)
    await server.serve_forever()

asyncio.run(main())
`;

/** Puts units on a serial port, until the test ends. */
export async function pymodbus(t: Test, port: string, units: Record<number, Unit>): Promise<void> {
  const child = spawn(PYTHON, ['-c', SCRIPT, port, JSON.stringify(units)]);
  t.teardown(() => child.kill('SIGKILL'));
  let errors = '';
  child.stderr.on('data', (text) => {
    errors += text;
  });
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => {
      throw new Error(`pymodbus ended: ${errors}`);
    }),
  ]);
}
