-- SLIP (RFC 1055): packets that end with c0; c0 and db inside are db dc and db dd.
-- Each packet becomes { type = "data", data = … }; encode takes such a message, or a string.

return require("utils.packets").new("slip", {})
