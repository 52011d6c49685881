//! What the server does in one step, in its own language. Sent as text each time: short, and a server that
//! forgot its scripts has nothing to forget.

/// Puts an entry in place of an older one. One from the future, and what is no entry, is older than
/// anything; of the same fetch, the word that it is over stands.
///
/// KEYS: entry, index of what is over. ARGV: text, head, head of the latest possible, milliseconds to live,
/// domain where it says that something is over, milliseconds for which the index remembers.
pub(super) const PUT_ENTRY: &str = r"
local old = redis.pcall('GET', KEYS[1])
if type(old) == 'string' then
  local head = string.match(old, '^(%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d) ')
  if head and head <= ARGV[3] then
    if head > ARGV[2] or (head == ARGV[2] and ARGV[5] == '') then return 0 end
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[4])
if ARGV[5] ~= '' then
  local t = redis.call('TIME')
  local now = t[1] * 1000 + math.floor(t[2] / 1000)
  redis.call('ZADD', KEYS[2], now, ARGV[5])
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[6])
  redis.call('PEXPIRE', KEYS[2], ARGV[6])
end
return 1";

/// Takes a lease, unless somebody has it. What would not end by itself in its time is no lease.
///
/// KEYS: lease. ARGV: token, milliseconds.
pub(super) const LEASE: &str = r"
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
local left = redis.call('PTTL', KEYS[1])
if left >= 0 and left <= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// Deletes a lease, if it is ours. KEYS: lease. ARGV: token.
pub(super) const RELEASE: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

/// Deletes what is of another kind. KEYS: any. ARGV: the kinds they must be.
pub(super) const MEND: &str = r"
local mended = 0
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= ARGV[i] then
    redis.call('DEL', key)
    mended = mended + 1
  end
end
return mended";

/// Says that a host is there; what it had said before, and since when the server is known to remember.
///
/// KEYS: what hosts said, when they were seen, since when. ARGV: host, what it says.
pub(super) const BEAT: &str = r"
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
local before = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('SET', KEYS[3], now, 'NX')
return {before or '', redis.call('GET', KEYS[3])}";

/// Which hosts were seen lately and have not closed a day.
///
/// KEYS: when hosts were seen, who has closed it. ARGV: milliseconds.
pub(super) const MISSING: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local missing = {}
for _, host in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now - ARGV[1], '+inf')) do
  if redis.call('SISMEMBER', KEYS[2], host) == 0 then table.insert(missing, host) end
end
return missing";

/// Elects: the one who leads goes on, else who asks begins. Nobody before all hosts had the time to hand
/// over anew what the server may have lost.
///
/// KEYS: leader, since when the server is known to remember. ARGV: host, milliseconds of the lease, of
/// that time.
pub(super) const ELECT: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local since = tonumber(redis.call('GET', KEYS[2]) or '')
if not since or since > now then
  since = now
  redis.call('SET', KEYS[2], string.format('%.0f', now))
end
if now - since < tonumber(ARGV[3]) then return 0 end
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// Says that the server may have lost something just now, unless somebody has said so a moment ago.
///
/// KEYS: since when it is known to remember. ARGV: milliseconds of a moment.
pub(super) const LOST: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local since = tonumber(redis.call('GET', KEYS[1]) or '')
if since and since <= now and now - since < tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], string.format('%.0f', now))
return 1";

/// Keeps a report, unless one is kept; the one that stands.
///
/// KEYS: report, index of reports, index of what is due. ARGV: text, name in the indices, day, when it is
/// due or nothing, seconds at which it expires.
pub(super) const CLAIM: &str = r"
local old = redis.call('GET', KEYS[1])
if old then return old end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('EXPIREAT', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
if ARGV[4] ~= '' then redis.call('ZADD', KEYS[3], ARGV[4], ARGV[2]) end
return ARGV[1]";

/// Keeps how far a report is; where a text is given that it must stand in place of, only then.
///
/// KEYS and ARGV: as above, and that text or nothing.
pub(super) const PROGRESS: &str = r"
if ARGV[6] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[6] then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('EXPIREAT', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
if ARGV[4] == '' then redis.call('ZREM', KEYS[3], ARGV[2])
else redis.call('ZADD', KEYS[3], ARGV[4], ARGV[2]) end
return 1";

/// Keeps a report that came; 1 where it is new. KEYS: report, index. ARGV: text, name, time, seconds to live.
pub(super) const RECEIVE: &str = r"
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[4]) then return 0 end
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
return 1";
