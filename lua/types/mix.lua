---@meta
-- Editor types of the Lua API. Written by `npm run docs`; changes belong into its entries in src/.

mix = {}

mix.checksum = {}

mix.frame_encode = {}

mix.codec = {}

mix.frame = {}

mix.server = {}

mix.socket = {}

mix.mesh = {}

mix.queue = {}

mix.http = {}

mix.redis = {}

mix.link = {}

mix.store = {}

mix.metrics = {}

---@class mix.struct
local struct = {}

---@class mix.buffer
local buffer = {}

---@class mix.conn
local conn = {}

---@class mix.timer
local timer = {}

---@class mix.redis
local redis = {}

---a table: `id`, `name` and `labels` of this engine
---@type any
mix.node = nil

---a level of `mix.log`
---@type integer
mix.DEBUG = nil

---a level of `mix.log`
---@type integer
mix.INFO = nil

---a level of `mix.log`
---@type integer
mix.WARN = nil

---a level of `mix.log`
---@type integer
mix.ERROR = nil

---A value as JSON. A table with the keys 1…n becomes an array, an empty table too ("[]"); any other table an object. Whole numbers to 2^53 have no fraction; not-a-number and infinities become null. Strings that are not UTF-8 become base64 text. Tables may be nested 64 deep. Returns nil and an error for anything else.
---@param value? any nil, a boolean, number, string or table
---@return string? json
---@return string? error
function mix.json_encode(value) end

---Reads JSON (UTF-8). Arrays become tables with the keys 1…n, null becomes nil. Numbers beyond 2^53 lose digits. Returns nil and an error when the text is not one JSON value or nests deeper than 64.
---@param json string
---@return any? value
---@return string? error
function mix.json_decode(json) end

---Bytes as base64 (RFC 4648, the standard alphabet, padded).
---@param data string
---@return string? text
---@return string? error
function mix.base64_encode(data) end

---Reads padded base64; line breaks are passed over. Returns nil and an error for anything else.
---@param text string
---@return string? data
---@return string? error
function mix.base64_decode(text) end

---Bytes as lower-case hexadecimal digits, two a byte.
---@param data string
---@return string? digits
---@return string? error
function mix.hex(data) end

---The bytes that hexadecimal digits stand for, in either case. Returns nil and an error when their number is odd or another character is among them.
---@param digits string
---@return string? data
---@return string? error
function mix.unhex(digits) end

---The decimal digits of packed BCD, two a byte, the high half first; leading zeros stay. Returns nil and an error when a half byte is no digit. `mix.unhex(digits)` is the way back.
---@param data string
---@return string? digits
---@return string? error
function mix.bcd(data) end

---Bytes XORed with a key that repeats, as WebSocket masks them. Raises for an empty key.
---@param data string
---@param key string
---@return string? data
---@return string? error
function mix.xor(data, key) end

---The parts of a string between separators, as a list; a string without the separator is its only part. An empty separator splits into UTF-8 characters (bytes that are none stand alone).
---@param text string
---@param separator string
---@return any? parts
---@return string? error
function mix.str_split(text, separator) end

---A string of the bytes (0 to 255) that a list holds. Raises for anything else.
---@param bytes any a list of numbers
---@return string? text
---@return string? error
function mix.bytes_tostring(bytes) end

---The MD5 digest as lower-case hexadecimal digits. For checks that a protocol asks for, not for security.
---@param data string
---@return string? digits
---@return string? error
function mix.md5(data) end

---The MD5 digest as bytes.
---@param data string
---@return string? bytes
---@return string? error
function mix.md5_bin(data) end

---The SHA-1 digest as lower-case hexadecimal digits. For checks that a protocol asks for, not for security.
---@param data string
---@return string? digits
---@return string? error
function mix.sha1(data) end

---The SHA-1 digest as bytes.
---@param data string
---@return string? bytes
---@return string? error
function mix.sha1_bin(data) end

---A cyclic redundancy check by its name in the CRC RevEng catalogue (or an alias), in any letter case, over the positions i…j. A number; wider than 53 bits a decimal string when it does not fit. Raises for an unknown name.
---@param name string as "CRC-16/MODBUS", "CRC-16/X-25"
---@param bytes string
---@param i? integer first position, 1 by default; negative ones count from the end
---@param j? integer last position, -1 by default
---@return any? crc
---@return string? error
function mix.crc(name, bytes, i, j) end

---The longitudinal redundancy check of Modbus ASCII: the sum of the bytes, negated, modulo 256. Over the positions i…j.
---@param bytes string
---@param i? integer first position, 1 by default; negative ones count from the end
---@param j? integer last position, -1 by default
---@return integer? checksum
---@return string? error
function mix.checksum.lrc(bytes, i, j) end

---All bytes XORed together, as NMEA 0183 and JT/T 808 do (BCC). Over the positions i…j.
---@param bytes string
---@param i? integer first position, 1 by default; negative ones count from the end
---@param j? integer last position, -1 by default
---@return integer? checksum
---@return string? error
function mix.checksum.xor(bytes, i, j) end

---The sum of the bytes modulo 256, as in M-Bus and DL/T 645. Over the positions i…j.
---@param bytes string
---@param i? integer first position, 1 by default; negative ones count from the end
---@param j? integer last position, -1 by default
---@return integer? checksum
---@return string? error
function mix.checksum.sum8(bytes, i, j) end

---Fletcher's checksum: the second sum modulo 255 in the high byte, the first in the low one. Over the positions i…j.
---@param bytes string
---@param i? integer first position, 1 by default; negative ones count from the end
---@param j? integer last position, -1 by default
---@return integer? checksum
---@return string? error
function mix.checksum.fletcher16(bytes, i, j) end

---Adler-32 (RFC 1950). Over the positions i…j.
---@param bytes string
---@param i? integer first position, 1 by default; negative ones count from the end
---@param j? integer last position, -1 by default
---@return integer? checksum
---@return string? error
function mix.checksum.adler32(bytes, i, j) end

---Packs values as PHP's pack does: a A Z (text), h H (hexadecimal digits), c C s S n v i I l L N V q Q J P (integers of 1, 2, 4, 8 bytes), f g G d e E (floats), x X @ (position); each with a count or "*". Machine order is little endian. Integers wrap to their size; 64-bit ones may be decimal strings. Returns nil and an error for an unknown letter, missing values or values that do not fit.
---@param format string
---@param ... any
---@return string? data
---@return string? error
function mix.php_pack(format, ...) end

---Unpacks data as PHP's unpack does: elements of letter, count and name, with slashes between. The result holds each value under its name; several of one letter have 1, 2, … behind the name, and are a list (from 1) when there is no name. 64-bit integers beyond 2^53 are decimal strings. Returns nil and an error when data is missing or a letter unknown.
---@param format string
---@param data string
---@return any? values
---@return string? error
function mix.php_unpack(format, data) end

---A query string as a table, by the rules of PHP's parse_str: values are strings, a later one replaces an earlier one of the same name, `a[]=1&a[]=2` gives a list (from 1), `a[x][y]=1` nested tables. Returns nil and an error beyond 1,000 variables or 64 brackets in a name.
---@param query string
---@return any? variables
---@return string? error
function mix.parse_str(query) end

---The parts of a URL: scheme, opaque, user, host (with the port), path (decoded), raw_path, force_query (a boolean), raw_query, fragment (decoded), raw_fragment, and `query`, the table that `mix.parse_str` makes of raw_query. Absent parts are empty strings; raw_path and raw_fragment are set only where encoding path and fragment gives something else than was written. Returns nil and an error for what is no URL.
---@param url string
---@return any? parts
---@return string? error
function mix.parse_url(url) end

---Compiles the description of a binary structure: a list of fields {type, name, options…} in wire order, with `endian` ("big" by default) beside them. Types: u8 i8 u16 i16 … u64 i64 f32 f64 (with scale, offset, bits), bcd bytes string (size: a number, or the name of an earlier field; trim), array (of, count), if (a field, then a list of fields), pad, check (from, to). Integers beyond 2^53 are decimal strings. Call it once, when the script loads. Raises when the description is wrong.
---@param fields table
---@return mix.struct? struct
---@return string? error
function mix.struct(fields) end

---A payload as a SLIP packet (RFC 1055), an END before and behind it. Options are those of `mix.frame.slip`. Raises when one is wrong.
---@param payload string
---@param options? table
---@return string? packet
---@return string? error
function mix.frame_encode.slip(payload, options) end

---A payload between two flags with octet stuffing (RFC 1662); `crc` names the check that is appended. Options are those of `mix.frame.hdlc`. Raises when one is wrong.
---@param payload string
---@param options? table
---@return string? packet
---@return string? error
function mix.frame_encode.hdlc(payload, options) end

---A payload as a COBS packet, which ends with 0. `reduced` makes it COBS/R. Options are those of `mix.frame.cobs`. Raises when one is wrong.
---@param payload string
---@param options? table
---@return string? packet
---@return string? error
function mix.frame_encode.cobs(payload, options) end

---The time: Unix seconds, UTC, with a fraction. It may jump when the clock is set.
---@return number? seconds
---@return string? error
function mix.now() end

---Seconds, with a fraction, since the engine started. It never jumps: for measuring how long something took.
---@return number? seconds
---@return string? error
function mix.monotonic() end

---The fields of the structure that begins at a position, and the position behind it. Returns nil and an error naming the field when bytes are missing, a BCD digit is none or a checksum differs.
---@param bytes string
---@param pos? integer 1 by default
---@return any? fields
---@return integer? next
function struct:decode(bytes, pos) end

---The bytes of a table of fields. Returns nil and an error naming the field that is missing or out of range.
---@param fields any
---@return string? bytes
---@return string? error
function struct:encode(fields) end

---A value as bytes. Returns nil and an error for what the codec cannot express; raises for an unknown codec.
---@param name string "json", "cbor" or another registered codec
---@param value? any
---@param options? table
---@return string? data
---@return string? error
function mix.codec.encode(name, value, options) end

---The value of bytes. Returns nil and an error unless they are one whole value; raises for an unknown codec.
---@param name string "json", "cbor" or another registered codec
---@param data string
---@param options? table
---@return any? value
---@return string? error
function mix.codec.decode(name, data, options) end

---Frames end with given bytes: `ends` (default "\r\n"; a list: whichever comes first), left out unless `keep` is true. Between two of the byte `quote` they end nothing. With `rest` true, what has waited `partial` for its end is a frame as it is. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.delimiter(options) end

---A number in the frame says how long it is: `at` (position of its first byte), `size` (1 to 4 bytes), `endian` ("big"), `mask` (its bits that count, all by default), `add`; the frame has value + add bytes. With `size` "decimal" it is up to 8 digits of text, and the frame has what stands up to their end + value + add bytes. With `rest` true, what has waited `partial` for the rest of its bytes is tried as a frame: give a check then. `check` is a table: `name` of a CRC of the catalogue or a checksum (lrc, xor, sum8, …), `from` and `to` what it covers (1, and the byte before it), `at` where it stands (the end), `endian` ("big"), `hex` (true: in hexadecimal digits), `mark` (bytes that must stand right before it). The name "bcd" checks that from..to are packed decimals. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.length(options) end

---Every frame has `size` bytes. `size` may be a list of up to 8 for devices that do not tell which they use: a frame then has the size at which what was received ends, or the first at which another `start` follows, or the smallest. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.fixed(options) end

---Frames stand between `open` and `close`; `escape` maps sequences back to what they stand for. The content comes without the brackets, unescaped. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.bracket(options) end

---SLIP (RFC 1055); the payload comes decoded. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.slip(options) end

---Consistent overhead byte stuffing, frames ending in 0; the payload comes decoded. `reduced` true is COBS/R. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.cobs(options) end

---HDLC-like framing with octet stuffing (RFC 1662); `crc` names the check that is verified and removed, none by default. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.hdlc(options) end

---A silence of `ms` milliseconds ends a frame. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.gap(options) end

---Modbus RTU: the length follows from the function code, the CRC is checked. `side` is "client" on the side that polls and receives responses, "server" on the side that receives requests, "both" where one only listens. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.modbus_rtu(options) end

---M-Bus (EN 13757-2): single characters, short, control and long frames, with lengths, checksum and stop checked. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.mbus(options) end

---SML transport, version 1: the content between its escape sequences, unescaped, with the CRC checked. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.sml(options) end

---HDLC frames of DLMS meters (frame format type 3), stuffed or not, without flags and with the check sequence verified and removed; information fields (e6 e7 00 …) without HDLC around them end with silence. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.dlms_hdlc(options) end

---DL/T 645 frames, from the first 68 to the 16, checksum verified; the fe bytes before them are passed over. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.dlt645(options) end

---Telegrams of the P1 port (DSMR, eMUCS), from "/" to the end of the line that begins with "!"; the CRC is verified where there is one. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.dsmr_p1(options) end

---Messages of IEC 62056-21: blocks from SOH or STX with their check character verified, ACK and NAK, everything else by lines, which keep their end. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.iec62056_21(options) end

---From position `at` (default 1) on stands how many bytes follow, as a variable-length integer of up to four bytes (seven bits a byte, least significant first): MQTT with `at` 2, delimited Protobuf messages. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.varint(options) end

---Each frame is cut by the first of several framings whose `start` matches. Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). Raises when an option is wrong.
---@param options table
---@return any? frame the `frame` of a protocol module
---@return string? error
function mix.frame.any(options) end

---The registers of a device: templates/devices/NAME.yaml of the first script root that has it, checked, with its defaults applied. A table as written in the file (see templates/devices/README.md); each of its `points` has also `count`, its registers. Call it once, when the script loads. Raises, with the file and line of each problem, when there is no such template or something in it is wrong.
---@param name string as "eastron_sdm120"
---@return any? template
---@return string? error
function mix.template(name) end

---All bytes that wait, as a string; the read position does not matter.
---@return string? bytes
---@return string? error
function buffer:tostring() end

---Reads n bytes from the read position on. Returns nil and an error when fewer are there.
---@param n integer 0 or more
---@return string? bytes
---@return string? error
function buffer:read(n) end

---Bytes read so far; what protocol_input returns when a frame ends here.
---@return integer? n
---@return string? error
function buffer:position() end

---How many received bytes wait to be consumed.
---@return integer? n
---@return string? error
function buffer:length() end

---The byte at a position (from 1; negative from the end), 0 to 255; nil when there is none.
---@param i integer
---@return integer? byte
---@return string? error
function buffer:byte(i) end

---Where bytes first occur from a position on (default 1), as a plain search; nil when they do not.
---@param bytes string
---@param from? integer negative from the end
---@return integer? position
---@return string? error
function buffer:find(bytes, from) end

---The id of this client, a decimal string that is never used again.
---@return string? id
---@return string? error
function conn:client_id() end

---The address of the peer, "host:port"; the path of a serial port.
---@return string? address
---@return string? error
function conn:remote_addr() end

---Sends to the peer. A string goes out as these bytes; a table is encoded by the protocol first. Returns nil, or an error: `closed`, or `queue_full` when the peer does not take what it was sent. A WebSocket carries it as text when it is UTF-8 and not said to be binary. Once something was requested of this client, it takes its turn on the bus as a command that nobody answers; what does not leave then is logged.
---@param data any string or table
---@param type? string for WebSocket: "text" or "binary"
---@return string? error
function conn:send(data, type) end

---Closes the connection once what was sent has left; `on_close` runs then. A WebSocket tells its peer `code` and `reason`; for others they mean nothing. Returns nil, or an error: `closed`.
---@param code? integer 1000 (normal, the default) or 3000 to 4999
---@param reason? string up to 123 bytes
---@return string? error
function conn:close(code, reason) end

---Drops received bytes that were not consumed yet. Returns how many.
---@return integer? n
---@return string? error
function conn:clear_buffer() end

---What `set_context` and `set_context_value` kept for this client, as a new table.
---@return any? context
---@return string? error
function conn:context() end

---One value of the context; nil when it is not set.
---@param key string
---@return any? value
---@return string? error
function conn:context_value(key) end

---The value of a context key once it is set; waits until then, and with it the messages of this client. Returns nil and an error when the client closes before.
---@async
---@param key string
---@return any? value
---@return string? error
function conn:wait_context_value(key) end

---Replaces the context by a table of plain values.
---@param context any
function conn:set_context(context) end

---Sets one value of the context, plain data; nil removes it.
---@param key string
---@param value? any
function conn:set_context_value(key, value) end

---Subscribes this client to channels: it gets what is published there, from any node. Returns nil, or an error: `closed`, or a limit (names of 1 to 256 bytes, 10,000 channels a client).
---@param channel string
---@param ... string
---@return string? error
function conn:subscribe(channel, ...) end

---Takes subscriptions back. Returns nil.
---@param channel string
---@param ... string
---@return string? error
function conn:unsubscribe(channel, ...) end

---Says that a device is reached through this client; a bus has many. The newest attach of a device wins. Returns true, or nil and an error.
---@param device_id string 1 to 256 bytes
---@param info? any facts about the device
---@return boolean? ok
---@return string? error
function conn:attach(device_id, info) end

---Takes an `attach` back.
---@param device_id string 1 to 256 bytes
function conn:detach(device_id) end

---The first device that was attached to this client; nil when there is none.
---@return string? device_id
---@return string? error
function conn:device_id() end

---How the connection is encrypted, a table; nil when it is not, and once it is closed. `version`, `cipher`, `resumed`; where there is one, `servername` (SNI), `alpn` and `psk_identity`. Of a certificate of the peer that is trusted: `subject` and `issuer` (tables such as `{CN = "gate-7", O = "Acme"}`), `san` (a list such as `{"DNS:gate-7.example"}`), `serial` (hex), `fingerprint` (SHA-256 in lower-case hex), `valid_to` (Unix seconds). A certificate that is not trusted is never shown.
---@return any? tls a table, or nil
---@return string? error
function conn:tls() end

---Asks one unit on the bus of this client and waits for its reply: requests of all scripts and links on the bus take turns, commands before requests before polls, units in turn. A string goes out as these bytes; a table is encoded by the protocol. Returns the reply as the protocol decodes it (an exception of the device is a reply too); true for a broadcast; nil and an error: `timeout`, `decode_error` (replies that are spoiled), `closed`, `queue_full`, `overloaded` (the unit does not answer and is left alone for a while), `invalid_argument`. Options: `timeout` (seconds from the end of the request to the begin of the reply), `unit` (default: `unit` or `device_id` of the table), `priority` ("command": the default in on_command, "request": elsewhere, or "poll"), `retries`, `broadcast` (true: nobody answers). Defaults: `bus` of the link.
---@async
---@param data any string or table
---@param options? table
---@return any? reply
---@return string? error
function conn:request(data, options) end

---A value of `options` of this server or link, as a string; nil when it is not set.
---@param name string
---@return string? value
---@return string? error
function mix.server.option(name) end

---The client whose handler runs, as CONNMIX scripts ask for it; handlers also get it as their last argument. Returns nil and an error outside handlers of a client.
---@return mix.conn? conn
---@return string? error
function mix.socket.tcp() end

---The same as `mix.socket.tcp`, as CONNMIX scripts of WebSocket servers ask for it.
---@return mix.conn? conn
---@return string? error
function mix.websocket() end

---Waits so many seconds; other handlers run meanwhile.
---@async
---@param seconds number from 0 to 2147483, with a fraction
function mix.sleep(seconds) end

---Calls a function again and again, the first time after `seconds`. A turn is skipped while the function is still busy. Returns a timer.
---@param seconds number from 0 to 2147483, with a fraction
---@param fn function called without arguments; it may wait
---@return mix.timer? timer
---@return string? error
function mix.every(seconds, fn) end

---Calls a function once, after `seconds`. Returns a timer.
---@param seconds number from 0 to 2147483, with a fraction
---@param fn function called without arguments; it may wait
---@return mix.timer? timer
---@return string? error
function mix.after(seconds, fn) end

---Stops the timer. Cancelling it again does nothing.
function timer:cancel() end

---Sends to one client, on whatever node it is. Its protocol encodes the data. Returns nil, or an error: `not_connected`, `queue_full` when the client does not take what it is sent, `timeout` when its node does not answer, or what its protocol says.
---@async
---@param client_id any a decimal string, or a number
---@param data any a string, or a table for the protocol of the client to encode
---@param type? string for WebSocket: "text" or "binary"
---@return string? error
function mix.mesh.send(client_id, data, type) end

---Sends to all subscribers of a channel, on all nodes. Returns how many clients got it, and how many should have got it and did not.
---@async
---@param channel string
---@param data any a string, or a table for the protocol of the client to encode
---@param type? string for WebSocket: "text" or "binary"
---@return integer? success
---@return integer? fail
function mix.mesh.publish(channel, data, type) end

---Puts plain data into a topic, in memory; one consumer of the topic gets it. Returns how many messages the topic held with it, or nil and an error: `queue_full` when the topic (`luavm.queue.topicSize`) or the number of topics (`maxTopics`) is at its bound.
---@param topic string 1 to 256 bytes
---@param data any
---@return integer? n
---@return string? error
function mix.queue.push(topic, data) end

---Sends an HTTP request and waits for the whole answer. Options: `query` (a string as it is, or a table whose lists repeat a name; added to the url), `headers` and `cookies` (tables), `body` (a string of any bytes; a table goes out as JSON), `auth` (`{ username, password }`, HTTP basic), `timeout` (seconds, or a duration such as "500ms" or "1m30s", for everything; default 30, at most 86400). The response has `status_code`, `body` (the bytes as they came), `body_size`, `headers` (by canonical name, as `resp.headers["Content-Type"]`), `cookies` (those the server set, by name) and `url` (where redirects led). Any status is a response; a failure is nil and an error: `timeout`, `not_connected`, `not_found` (the host), `decode_error` (no HTTP), `invalid_argument`, `too_large` (a body or a request over 1 MiB, more than 10 redirects), `overloaded` (more than 64 requests of this engine under way). Headers of the connection and of the body's length are set by Moonwire, those given are left out; user, password and cookies do not follow a redirect to another host.
---@async
---@param method string "GET", "POST", …
---@param url string http or https
---@param options? any a table
---@return any? response
---@return string? error
function mix.http.request(method, url, options) end

---The Redis server of that name in `engine.luavm.redis`. Its connections are shared by all scripts of the engine and opened when a command needs one. Returns nil and an error when the name is not configured.
---@param name? string default "default"
---@return mix.redis? redis
---@return string? error
function mix.redis.connection(name) end

---Sends one command and waits for its reply. Numbers become their decimal form, booleans 1 and 0. A reply is nil, a number (a decimal string beyond 2^53), a string of any bytes, or a list of these, in which nil leaves a hole and an error is a table `{ err = … }`; HGETALL gives a list of fields and values in turn. Returns nil and an error when the server refuses the command (`redis: …`, with its words), or without a reply: `not_connected` or `not_found` (no connection), `timeout` (nothing within 10 s beyond what a blocking command waits itself, or no free connection within 5 s), `overloaded` (1000 commands wait for a connection), `too_large` (a command or reply over 8 MiB, a string in a reply over 1 MiB, lists over 100000 values), `invalid_argument` (a command about one connection, as SUBSCRIBE, SELECT or MULTI: commands share a pool). A command without a reply may have been done.
---@async
---@param command any "GET", "SET", …
---@param ... any
---@return any? reply
---@return string? error
function redis:command(command, ...) end

---Hands a reading of a device over, which is kept until the centre has it. `options`: `time` (Unix seconds; default now), `quality`, `topic`, `durable` (true: on disk before the call returns, which waits; where that fails, the frame at hand is not acknowledged to the device). Returns true, or nil and an error: `invalid_argument`, `too_large`, `queue_full`, `overloaded` when the disk refuses.
---@param device_id string 1 to 256 characters
---@param values any plain data: finite numbers, at most 16 levels, `engine.outbox.maxReportBytes`
---@param options? any `topic` and `quality` have at most 256 characters
---@return boolean? ok
---@return string? error
function mix.report(device_id, values, options) end

---Adds a link, which begins to open; `temporary = true` beside its settings: it is not kept over a restart. Returns its name, or nil and an error that tells all that is wrong. Needs `engine.addedLinks.byScripts`; links of the configuration, and the one that the script runs for, are not changed.
---@async
---@param config any a table as a link of the configuration
---@return string? name
---@return string? error
function mix.link.add(config) end

---Puts other settings in the place of those of an added link: its connection ends, and another opens as a new client. Returns its name, or nil and an error, the link being as it was. Needs `engine.addedLinks.byScripts`; links of the configuration, and the one that the script runs for, are not changed.
---@async
---@param name string
---@param config any a table as a link of the configuration
---@return string? name
---@return string? error
function mix.link.update(name, config) end

---Takes an added link away; what waits for its device fails. Returns true, or nil and an error. Needs `engine.addedLinks.byScripts`; links of the configuration, and the one that the script runs for, are not changed.
---@async
---@param name string
---@return boolean? ok
---@return string? error
function mix.link.remove(name) end

---All links of this engine: a list of tables with `name kind entry state` ("connecting", "open", "waiting", "lent"), `addresses address client since next_try last_error opened failed`, `added` and `temporary`.
---@return any? links
---@return string? error
function mix.link.list() end

---The value kept under a key; nil when there is none.
---@param key string 1 to 256 bytes
---@return any? value
---@return string? error
function mix.store.get(key) end

---Keeps plain data under a key, on disk when the call returns; nil removes it. Returns true, or nil and an error when it is too large.
---@async
---@param key string 1 to 256 bytes
---@param value? any at most 64 KiB encoded
---@return boolean? ok
---@return string? error
function mix.store.set(key, value) end

---Adds to a counter, which begins at 0 and only rises. An engine's scripts have at most 1000 series (combinations of name and labels); beyond that the call fails with `queue_full`. Returns true, or nil and an error.
---@param name string letters, digits, `_` and `:`, not beginning with a digit; shown as `moonwire_script_…`
---@param labels? any a table of at most 16 names to strings, numbers or booleans; may be left out before `n`
---@param n? number what to add, 0 or more; default 1
---@return boolean? ok
---@return string? error
function mix.metrics.counter(name, labels, n) end

---Sets a gauge: a value that rises and falls. An engine's scripts have at most 1000 series (combinations of name and labels); beyond that the call fails with `queue_full`. Returns true, or nil and an error.
---@param name string letters, digits, `_` and `:`, not beginning with a digit; shown as `moonwire_script_…`
---@param value number
---@param labels? any a table of at most 16 names to strings, numbers or booleans
---@return boolean? ok
---@return string? error
function mix.metrics.gauge(name, value, labels) end

---Writes a line to the log, with the script and line it comes from. Returns true.
---@param level any mix.DEBUG, mix.INFO, mix.WARN or mix.ERROR
---@param message any
---@return boolean? ok
---@return string? error
function mix.log(level, message) end

---Names a test. Tests run one after the other once the file was loaded, each on a budget of its own; one that raises has failed.
---@param name string
---@param fn function called without arguments; must not wait
function test(name, fn) end

---Raises, naming the first place that differs, unless both values are equal: tables by what they hold, numbers exactly.
---@param actual? any
---@param expected? any
---@param what? string said in front of the failure
function equal(actual, expected, what) end

---Raises unless two numbers differ by at most a tolerance.
---@param actual number
---@param expected number
---@param tolerance? number 1e-6 by default
---@param what? string said in front of the failure
function near(actual, expected, tolerance, what) end

---Raises unless a Lua pattern is found in a text.
---@param text any a string
---@param pattern string
---@param what? string said in front of the failure
function match(text, pattern, what) end

---Raises unless a function raises, and with a message in which a Lua pattern is found, where one is given.
---@param fn function
---@param pattern? string
---@param what? string said in front of the failure
function raises(fn, pattern, what) end

---Feeds a protocol module the bytes of one connection, in the given pieces, and returns what came of it: `messages`, `replies` (lists), `discarded` (bytes) and `error` (the first one, or nil). Feeds them byte by byte and randomly split too, and raises when messages or replies differ then. Without framing each piece is a datagram.
---@param module any the module's table
---@param ... string
---@return any? result
---@return string? error
function feed(module, ...) end
