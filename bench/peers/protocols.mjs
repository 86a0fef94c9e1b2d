// What a programmer would write by hand for the devices of lua/gt06*.lua and lua/modbus*.lua: the same checks, fields and
// answers. devices.mjs runs it on node:net, node-red.mjs in a function node, which takes the text of this file: it
// imports nothing.
const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0x8408 : crc >>> 1;
  return crc;
});

/** CRC-16/IBM-SDLC of a part of a buffer. */
function crc16(bytes, from, to) {
  let crc = 0xffff;
  for (let i = from; i < to; i++) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ bytes[i]) & 0xff];
  return crc ^ 0xffff;
}

/**
 * A protocol: the length of the frame at the start (0: not all is there, -1: none begins here), its fields, and the reply
 * to them.
 */
export const PROTOCOLS = {
  /** lua/echo.lua */
  echo: {
    length(bytes) {
      if (bytes.length < 2) return 0;
      const length = bytes.readUInt16BE(0) + 2;
      return bytes.length < length ? 0 : length;
    },
    decode: (frame) => frame,
    reply: (message) => message,
  },
  gt06: {
    length(bytes) {
      if (bytes.length < 3) return 0;
      if (bytes[0] !== 0x78 || bytes[1] !== 0x78) return -1;
      const length = bytes[2] + 5;
      if (bytes.length < length) return 0;
      return crc16(bytes, 2, length - 4) === bytes.readUInt16BE(length - 4) ? length : -1;
    },
    decode(frame) {
      const number = frame[3];
      if (number !== 0x22) return undefined;
      const message = { type: 'location', protocol_number: number };
      message.time = Date.UTC(2000 + frame[4], frame[5] - 1, frame[6], frame[7], frame[8], frame[9]) / 1000;
      message.satellites = frame[10] & 15;
      const latitude = frame.readUInt32BE(11) / 1.8e6;
      const longitude = frame.readUInt32BE(15) / 1.8e6;
      message.speed = frame[19];
      const flags = frame.readUInt16BE(20);
      message.valid = (flags & 0x1000) !== 0;
      if (latitude <= 90 && longitude <= 180) {
        message.latitude = flags & 0x400 ? latitude : -latitude;
        message.longitude = flags & 0x800 ? -longitude : longitude;
      } else message.valid = false;
      if ((flags & 0x3ff) <= 360) message.course = flags & 0x3ff;
      const mcc = frame.readUInt16BE(22) & 0x7fff;
      if (mcc !== 0) {
        message.mcc = mcc;
        message.mnc = frame[24];
        message.lac = frame.readUInt16BE(25);
        message.cell = frame.readUIntBE(27, 3);
      }
      message.ignition = frame[30] !== 0;
      message.upload_reason = frame[31];
      message.archived = frame[32] !== 0;
      message.serial = frame.readUInt16BE(frame.length - 6);
      return message;
    },
    reply(message) {
      const bytes = Buffer.allocUnsafe(10);
      bytes.writeUInt16BE(0x7878, 0);
      bytes[2] = 5;
      bytes[3] = message.protocol_number;
      bytes.writeUInt16BE(message.serial, 4);
      bytes.writeUInt16BE(crc16(bytes, 2, 6), 6);
      bytes.writeUInt16BE(0x0d0a, 8);
      return bytes;
    },
  },
  modbus: {
    length(bytes) {
      if (bytes.length < 6) return 0;
      const length = bytes.readUInt16BE(4) + 6;
      if (length > 260) return -1;
      return bytes.length < length ? 0 : length;
    },
    decode(frame) {
      if (frame.readUInt16BE(2) !== 0 || frame[7] !== 3 || frame.length !== 12) return undefined;
      const quantity = frame.readUInt16BE(10);
      if (quantity < 1 || quantity > 125) return undefined;
      return {
        type: 'request',
        transaction: frame.readUInt16BE(0),
        unit: frame[6],
        function_code: 3,
        address: frame.readUInt16BE(8),
        quantity,
      };
    },
    reply({ transaction, unit, address, quantity }) {
      const bytes = Buffer.allocUnsafe(9 + 2 * quantity);
      bytes.writeUInt16BE(transaction, 0);
      bytes.writeUInt16BE(0, 2);
      bytes.writeUInt16BE(3 + 2 * quantity, 4);
      bytes[6] = unit;
      bytes[7] = 3;
      bytes[8] = 2 * quantity;
      for (let i = 0; i < quantity; i++) bytes.writeUInt16BE((address + i) & 0xffff, 9 + 2 * i);
      return bytes;
    },
  },
};
