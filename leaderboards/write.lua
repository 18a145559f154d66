-- Writes rows of one season: absolute, and only where they are newer than what stands.
-- KEYS[1]  the season's generations
-- ARGV     prefix; one generation and its token, or "" and "" for every generation there is; then of each row
--          partner id, version, negated score, member ("" where the partner does not stand), groups
-- Returns how many rows changed anything, or -1 where the generation is not there (any more).
-- All keys carry the hash tag of KEYS[1].
local prefix, only, token = ARGV[1], ARGV[2], ARGV[3]
local generations
if only ~= '' then
  if redis.call('HGET', KEYS[1], only) ~= token then return -1 end
  generations = {only}
else
  generations = redis.call('HKEYS', KEYS[1])
  if #generations == 0 then return -1 end
end

local lists = {}
local function list(packed)
  local found = lists[packed]
  if not found then
    found = {}
    for group in string.gmatch(packed .. '\31', '(.-)\31') do found[#found + 1] = group end
    lists[packed] = found
  end
  return found
end

local changed = 0
for _, generation in ipairs(generations) do
  local rows = prefix .. generation .. ':rows'
  local ranking = prefix .. generation .. ':in:'
  for at = 4, #ARGV, 5 do
    local id, version, score, member, groups = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
    local stored, stored_member, stored_groups = '-1', '', ''
    local row = redis.call('HGET', rows, id)
    if row then stored, stored_member, stored_groups = string.match(row, '^(%d+) (%x*) (.*)$') end
    local newer = tonumber(version) > tonumber(stored)
    if not newer and version == stored then
      newer = member ~= stored_member or (member ~= '' and (groups ~= stored_groups
              or tonumber(redis.call('ZSCORE', ranking, member)) ~= tonumber(score)))
    end
    if newer then
      changed = changed + 1
      if stored_member ~= '' and (member ~= stored_member or groups ~= stored_groups) then
        for _, group in ipairs(list(stored_groups)) do redis.call('ZREM', ranking .. group, stored_member) end
      end
      if member == '' then
        groups = ''
      else
        for _, group in ipairs(list(groups)) do
          if redis.call('ZADD', ranking .. group, score, member) == 1 then
            redis.call('SADD', prefix .. generation .. ':groups', group)
          end
        end
      end
      redis.call('HSET', rows, id, version .. ' ' .. member .. ' ' .. groups)
    end
  end
end
return changed
