-- A tracker whose frames arrive cut short, with noise between them and with a wrong checksum: the good ones are all
-- read. Frames of real devices, as published with Traccar's tests.

return require "protocols.gt06"
