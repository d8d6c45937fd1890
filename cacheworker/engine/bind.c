#include "cacheworker/engine/bind.h"

#include "cacheworker/acl/acl_commands.h"
#include "cacheworker/bitmap/bitmap_commands.h"
#include "cacheworker/engine/client_commands.h"
#include "cacheworker/engine/command_commands.h"
#include "cacheworker/engine/connection_commands.h"
#include "cacheworker/engine/debug_commands.h"
#include "cacheworker/engine/dispatch.h"
#include "cacheworker/engine/server_commands.h"
#include "cacheworker/expire/expire_commands.h"
#include "cacheworker/geo/geo_commands.h"
#include "cacheworker/hash/field_commands.h"
#include "cacheworker/hash/hash_commands.h"
#include "cacheworker/hyperloglog/hyperloglog_commands.h"
#include "cacheworker/info/latency_commands.h"
#include "cacheworker/info/memory_commands.h"
#include "cacheworker/info/monitor.h"
#include "cacheworker/keyspace/key_commands.h"
#include "cacheworker/list/list_commands.h"
#include "cacheworker/pubsub/pubsub_commands.h"
#include "cacheworker/rdb/dump_commands.h"
#include "cacheworker/script/script_commands.h"
#include "cacheworker/set/set_algebra_commands.h"
#include "cacheworker/set/set_commands.h"
#include "cacheworker/sort/sort_commands.h"
#include "cacheworker/stream/stream_commands.h"
#include "cacheworker/string/string_commands.h"
#include "cacheworker/tracking/tracking_commands.h"
#include "cacheworker/txn/transaction_commands.h"
#include "cacheworker/zset/zset_commands.h"

#define BIND(id, name) [COMMAND_ID_##id] = cw_##name##_command

const cw_command_function cw_functions[COMMAND_ID_COUNT] = {
    /* Connections. */
    BIND(AUTH, auth),
    BIND(CLIENT_CACHING, client_caching),
    BIND(CLIENT_GETNAME, client_getname),
    BIND(CLIENT_GETREDIR, client_getredir),
    BIND(CLIENT_HELP, client_help),
    BIND(CLIENT_ID, client_id),
    BIND(CLIENT_INFO, client_info),
    BIND(CLIENT_KILL, client_kill),
    BIND(CLIENT_LIST, client_list),
    BIND(CLIENT_NO_EVICT, client_no_evict),
    BIND(CLIENT_NO_TOUCH, client_no_touch),
    BIND(CLIENT_PAUSE, client_pause),
    BIND(CLIENT_REPLY, client_reply),
    BIND(CLIENT_SETINFO, client_setinfo),
    BIND(CLIENT_SETNAME, client_setname),
    BIND(CLIENT_TRACKING, client_tracking),
    BIND(CLIENT_TRACKINGINFO, client_trackinginfo),
    BIND(CLIENT_UNBLOCK, client_unblock),
    BIND(CLIENT_UNPAUSE, client_unpause),
    BIND(ECHO, echo),
    BIND(HELLO, hello),
    BIND(PING, ping),
    BIND(QUIT, quit),
    BIND(RESET, reset),
    BIND(SELECT, select),

    /* Transactions. */
    BIND(DISCARD, discard),
    BIND(EXEC, exec),
    BIND(MULTI, multi),
    BIND(UNWATCH, unwatch),
    BIND(WATCH, watch),

    /* The server. */
    BIND(COMMAND, command),
    BIND(COMMAND_COUNT, command_count),
    BIND(COMMAND_DOCS, command_docs),
    BIND(COMMAND_GETKEYS, command_getkeys),
    BIND(COMMAND_GETKEYSANDFLAGS, command_getkeysandflags),
    BIND(COMMAND_HELP, command_help),
    BIND(COMMAND_INFO, command),
    BIND(COMMAND_LIST, command_list),
    BIND(CONFIG_GET, config_get),
    BIND(CONFIG_HELP, config_help),
    BIND(CONFIG_RESETSTAT, config_resetstat),
    BIND(CONFIG_REWRITE, config_rewrite),
    BIND(CONFIG_SET, config_set),
    BIND(BGSAVE, bgsave),
    BIND(DBSIZE, dbsize),
    BIND(DEBUG, debug),
    BIND(FLUSHALL, flushall),
    BIND(FLUSHDB, flushdb),
    BIND(FUNCTION_FLUSH, function_flush),
    BIND(INFO, info),
    BIND(LASTSAVE, lastsave),
    BIND(LATENCY_DOCTOR, latency_doctor),
    BIND(LATENCY_GRAPH, latency_graph),
    BIND(LATENCY_HELP, latency_help),
    BIND(LATENCY_HISTOGRAM, latency_histogram),
    BIND(LATENCY_HISTORY, latency_history),
    BIND(LATENCY_LATEST, latency_latest),
    BIND(LATENCY_RESET, latency_reset),
    BIND(LOLWUT, lolwut),
    BIND(MEMORY_DOCTOR, memory_doctor),
    BIND(MEMORY_HELP, memory_help),
    BIND(MEMORY_MALLOC_STATS, memory_malloc_stats),
    BIND(MEMORY_PURGE, memory_purge),
    BIND(MEMORY_STATS, memory_stats),
    BIND(MONITOR, monitor),
    BIND(MEMORY_USAGE, memory_usage),
    BIND(ROLE, role),
    BIND(SAVE, save),
    BIND(SHUTDOWN, shutdown),
    BIND(SLOWLOG_GET, slowlog_get),
    BIND(SLOWLOG_HELP, slowlog_help),
    BIND(SLOWLOG_LEN, slowlog_len),
    BIND(SLOWLOG_RESET, slowlog_reset),
    BIND(SWAPDB, swapdb),
    BIND(TIME, time),
    BIND(WAIT, wait),

    /* Any key. */
    BIND(COPY, copy),
    BIND(DEL, del),
    BIND(DUMP, dump),
    BIND(EXISTS, exists),
    BIND(EXPIRE, expire),
    BIND(EXPIREAT, expireat),
    BIND(EXPIRETIME, expiretime),
    BIND(KEYS, keys),
    BIND(MOVE, move),
    BIND(OBJECT_ENCODING, object_encoding),
    BIND(OBJECT_FREQ, object_freq),
    BIND(OBJECT_HELP, object_help),
    BIND(OBJECT_IDLETIME, object_idletime),
    BIND(OBJECT_REFCOUNT, object_refcount),
    BIND(PERSIST, persist),
    BIND(PEXPIRE, pexpire),
    BIND(PEXPIREAT, pexpireat),
    BIND(PEXPIRETIME, pexpiretime),
    BIND(PTTL, pttl),
    BIND(RANDOMKEY, randomkey),
    BIND(RENAME, rename),
    BIND(RENAMENX, renamenx),
    BIND(RESTORE, restore),
    BIND(RESTORE_ASKING, restore),
    BIND(SCAN, scan),
    BIND(SORT, sort),
    BIND(SORT_RO, sort_ro),
    BIND(TOUCH, touch),
    BIND(TTL, ttl),
    BIND(TYPE, type),
    BIND(UNLINK, unlink),

    /* Strings. */
    BIND(APPEND, append),
    BIND(DECR, decr),
    BIND(DECRBY, decrby),
    BIND(DELEX, delex),
    BIND(DELIFEQ, delifeq),
    BIND(DIGEST, digest),
    BIND(GET, get),
    BIND(GETDEL, getdel),
    BIND(GETEX, getex),
    BIND(GETRANGE, getrange),
    BIND(GETSET, getset),
    BIND(INCR, incr),
    BIND(INCRBY, incrby),
    BIND(INCRBYFLOAT, incrbyfloat),
    BIND(LCS, lcs),
    BIND(MGET, mget),
    BIND(MSET, mset),
    BIND(MSETEX, msetex),
    BIND(MSETNX, msetnx),
    BIND(PSETEX, psetex),
    BIND(SET, set),
    BIND(SETEX, setex),
    BIND(SETNX, setnx),
    BIND(SETRANGE, setrange),
    BIND(STRLEN, strlen),
    BIND(SUBSTR, getrange),

    /* Hashes. */
    BIND(HDEL, hdel),
    BIND(HEXISTS, hexists),
    BIND(HEXPIRE, hexpire),
    BIND(HEXPIREAT, hexpireat),
    BIND(HEXPIRETIME, hexpiretime),
    BIND(HGET, hget),
    BIND(HGETALL, hgetall),
    BIND(HGETDEL, hgetdel),
    BIND(HGETEX, hgetex),
    BIND(HINCRBY, hincrby),
    BIND(HINCRBYFLOAT, hincrbyfloat),
    BIND(HKEYS, hkeys),
    BIND(HLEN, hlen),
    BIND(HMGET, hmget),
    BIND(HMSET, hmset),
    BIND(HPERSIST, hpersist),
    BIND(HPEXPIRE, hpexpire),
    BIND(HPEXPIREAT, hpexpireat),
    BIND(HPEXPIRETIME, hpexpiretime),
    BIND(HPTTL, hpttl),
    BIND(HRANDFIELD, hrandfield),
    BIND(HSCAN, hscan),
    BIND(HSET, hset),
    BIND(HSETEX, hsetex),
    BIND(HSETNX, hsetnx),
    BIND(HSTRLEN, hstrlen),
    BIND(HTTL, httl),
    BIND(HVALS, hvals),

    /* Lists. */
    BIND(LINDEX, lindex),
    BIND(LINSERT, linsert),
    BIND(LLEN, llen),
    BIND(LMOVE, lmove),
    BIND(LMPOP, lmpop),
    BIND(LPOP, lpop),
    BIND(LPOS, lpos),
    BIND(LPUSH, lpush),
    BIND(LPUSHX, lpushx),
    BIND(LRANGE, lrange),
    BIND(LREM, lrem),
    BIND(LSET, lset),
    BIND(LTRIM, ltrim),
    BIND(RPOP, rpop),
    BIND(RPOPLPUSH, rpoplpush),
    BIND(RPUSH, rpush),
    BIND(RPUSHX, rpushx),

    /* Sets. */
    BIND(SADD, sadd),
    BIND(SCARD, scard),
    BIND(SDIFF, sdiff),
    BIND(SDIFFSTORE, sdiffstore),
    BIND(SINTER, sinter),
    BIND(SINTERCARD, sintercard),
    BIND(SINTERSTORE, sinterstore),
    BIND(SISMEMBER, sismember),
    BIND(SMEMBERS, smembers),
    BIND(SMISMEMBER, smismember),
    BIND(SMOVE, smove),
    BIND(SPOP, spop),
    BIND(SRANDMEMBER, srandmember),
    BIND(SREM, srem),
    BIND(SSCAN, sscan),
    BIND(SUNION, sunion),
    BIND(SUNIONSTORE, sunionstore),

    /* Sorted sets. */
    BIND(ZADD, zadd),
    BIND(ZCARD, zcard),
    BIND(ZCOUNT, zcount),
    BIND(ZDIFF, zdiff),
    BIND(ZDIFFSTORE, zdiffstore),
    BIND(ZINCRBY, zincrby),
    BIND(ZINTER, zinter),
    BIND(ZINTERCARD, zintercard),
    BIND(ZINTERSTORE, zinterstore),
    BIND(ZLEXCOUNT, zlexcount),
    BIND(ZMPOP, zmpop),
    BIND(ZMSCORE, zmscore),
    BIND(ZPOPMAX, zpopmax),
    BIND(ZPOPMIN, zpopmin),
    BIND(ZRANDMEMBER, zrandmember),
    BIND(ZRANGE, zrange),
    BIND(ZRANGEBYLEX, zrangebylex),
    BIND(ZRANGEBYSCORE, zrangebyscore),
    BIND(ZRANGESTORE, zrangestore),
    BIND(ZRANK, zrank),
    BIND(ZREM, zrem),
    BIND(ZREMRANGEBYLEX, zremrangebylex),
    BIND(ZREMRANGEBYRANK, zremrangebyrank),
    BIND(ZREMRANGEBYSCORE, zremrangebyscore),
    BIND(ZREVRANGE, zrevrange),
    BIND(ZREVRANGEBYLEX, zrevrangebylex),
    BIND(ZREVRANGEBYSCORE, zrevrangebyscore),
    BIND(ZREVRANK, zrevrank),
    BIND(ZSCAN, zscan),
    BIND(ZSCORE, zscore),
    BIND(ZUNION, zunion),
    BIND(ZUNIONSTORE, zunionstore),

    /* Streams. */
    BIND(XACK, xack),
    BIND(XADD, xadd),
    BIND(XAUTOCLAIM, xautoclaim),
    BIND(XCLAIM, xclaim),
    BIND(XDEL, xdel),
    BIND(XGROUP_CREATE, xgroup_create),
    BIND(XGROUP_CREATECONSUMER, xgroup_createconsumer),
    BIND(XGROUP_DELCONSUMER, xgroup_delconsumer),
    BIND(XGROUP_DESTROY, xgroup_destroy),
    BIND(XGROUP_HELP, xgroup_help),
    BIND(XGROUP_SETID, xgroup_setid),
    BIND(XINFO_CONSUMERS, xinfo_consumers),
    BIND(XINFO_GROUPS, xinfo_groups),
    BIND(XINFO_HELP, xinfo_help),
    BIND(XINFO_STREAM, xinfo_stream),
    BIND(XLEN, xlen),
    BIND(XPENDING, xpending),
    BIND(XRANGE, xrange),
    BIND(XREAD, xread),
    BIND(XREADGROUP, xreadgroup),
    BIND(XREVRANGE, xrevrange),
    BIND(XSETID, xsetid),
    BIND(XTRIM, xtrim),

    /* Bitmaps. */
    BIND(BITCOUNT, bitcount),
    BIND(BITFIELD, bitfield),
    BIND(BITFIELD_RO, bitfield_ro),
    BIND(BITOP, bitop),
    BIND(BITPOS, bitpos),
    BIND(GETBIT, getbit),
    BIND(SETBIT, setbit),

    /* HyperLogLogs. */
    BIND(PFADD, pfadd),
    BIND(PFCOUNT, pfcount),
    BIND(PFDEBUG, pfdebug),
    BIND(PFMERGE, pfmerge),
    BIND(PFSELFTEST, pfselftest),

    /* Positions. */
    BIND(GEOADD, geoadd),
    BIND(GEODIST, geodist),
    BIND(GEOHASH, geohash),
    BIND(GEOPOS, geopos),
    BIND(GEORADIUS, georadius),
    BIND(GEORADIUS_RO, georadius_ro),
    BIND(GEORADIUSBYMEMBER, georadiusbymember),
    BIND(GEORADIUSBYMEMBER_RO, georadiusbymember_ro),
    BIND(GEOSEARCH, geosearch),
    BIND(GEOSEARCHSTORE, geosearchstore),

    /* Channels. */
    BIND(PSUBSCRIBE, psubscribe),
    BIND(PUBLISH, publish),
    BIND(PUBSUB_CHANNELS, pubsub_channels),
    BIND(PUBSUB_HELP, pubsub_help),
    BIND(ACL_CAT, acl_cat),
    BIND(ACL_DELUSER, acl_deluser),
    BIND(ACL_DRYRUN, acl_dryrun),
    BIND(ACL_GENPASS, acl_genpass),
    BIND(ACL_GETUSER, acl_getuser),
    BIND(ACL_HELP, acl_help),
    BIND(ACL_LIST, acl_list),
    BIND(ACL_LOAD, acl_load),
    BIND(ACL_LOG, acl_log),
    BIND(ACL_SAVE, acl_save),
    BIND(ACL_SETUSER, acl_setuser),
    BIND(ACL_USERS, acl_users),
    BIND(ACL_WHOAMI, acl_whoami),
    BIND(PUBSUB_NUMPAT, pubsub_numpat),
    BIND(PUBSUB_NUMSUB, pubsub_numsub),
    BIND(PUBSUB_SHARDCHANNELS, pubsub_shardchannels),
    BIND(PUBSUB_SHARDNUMSUB, pubsub_shardnumsub),
    BIND(PUNSUBSCRIBE, punsubscribe),
    BIND(SPUBLISH, spublish),
    BIND(SSUBSCRIBE, ssubscribe),
    BIND(SUBSCRIBE, subscribe),
    BIND(SUNSUBSCRIBE, sunsubscribe),
    BIND(UNSUBSCRIBE, unsubscribe),

    /* Scripts. */
    BIND(EVAL, eval),
    BIND(EVALSHA, evalsha),
    BIND(EVALSHA_RO, evalsha_ro),
    BIND(EVAL_RO, eval_ro),
    BIND(SCRIPT_EXISTS, script_exists),
    BIND(SCRIPT_FLUSH, script_flush),
    BIND(SCRIPT_HELP, script_help),
    BIND(SCRIPT_KILL, script_kill),
    BIND(SCRIPT_LOAD, script_load),
};

bool cw_is_bound(const struct cw_engine *engine, const struct command *command)
{
    (void)engine;
    if (cw_functions[command->id] != NULL || cw_is_appliance_command(command))
        return true;
    for (unsigned i = 0; i < command->subcommand_count; i++) {
        if (cw_functions[command->subcommands[i].id] != NULL)
            return true;
    }
    return false;
}
