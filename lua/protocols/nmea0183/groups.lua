-- Messages that take several sentences: each sentence is a message of its own, and the one that completes the group
-- carries what all of them bring together.

local groups = {}

-- Groups under way at once, and sentences in one: a peer cannot make a session grow beyond them.
local MAX_GROUPS, MAX_SENTENCES = 16, 64

--- Adds the part that sentence `number` of `total` brings to the group `key`; returns all parts once they are there.
-- Sentences come in order; a group that one is missing of is given up. Behind the first, `total` may be left out.
function groups.add(session, key, total, number, part)
  local open = session.groups or { count = 0 }
  local group = open[key]
  total = total or group and number ~= 1 and group.total
  if not total or not number or total < 1 or total > MAX_SENTENCES or number < 1 or number > total then return nil end
  session.groups = open
  if number == 1 then
    if not group then
      if open.count >= MAX_GROUPS then
        open = { count = 0 }
        session.groups = open
      end
      open.count = open.count + 1
    end
    group = { total = total }
    open[key] = group
  elseif not group then
    return nil
  end
  if #group + 1 ~= number or group.total ~= total then
    open[key], open.count = nil, open.count - 1
    return nil
  end
  group[number] = part
  if number < total then return nil end
  open[key], open.count = nil, open.count - 1
  group.total = nil
  return group
end

--- The lists of all parts as one.
function groups.joined(parts)
  local all = {}
  for _, part in ipairs(parts) do
    for _, item in ipairs(part) do all[#all + 1] = item end
  end
  return all
end

return groups
