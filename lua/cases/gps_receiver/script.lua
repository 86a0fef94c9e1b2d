-- A GPS receiver on a serial line, heard from the middle of a sentence on.
-- Sentences are those of the tests of go-nmea.

return require "protocols.nmea0183"
