#include "cacheworker/repl/repl_internal.h"
#include "common/resp/resp_writer.h"

#include <stdio.h>

enum { PING_REPLIES = 1, AUTH_REPLIES = 1, REPLCONF_REPLIES = 2 };

static void write_words(struct buf *out, const struct slice *words, size_t count)
{
    resp_write_array(out, count);
    for (size_t i = 0; i < count; i++)
        resp_write_bulk(out, words[i]);
}

void repl_stock_greet(struct cw_repl *repl)
{
    write_words(cw_engine_output(repl->engine, repl->follow.link), (struct slice[]){SLICE_LITERAL("PING")}, 1);
    cw_engine_flush(repl->engine, repl->follow.link);
    repl->follow.replies_wanted = PING_REPLIES;
    repl->follow.gave_password = false;
}

static void write_auth(struct buf *out, struct slice user, struct slice password)
{
    struct slice words[3] = {SLICE_LITERAL("AUTH")};
    size_t count = 1;
    if (user.length > 0)
        words[count++] = user;
    words[count++] = password;
    write_words(out, words, count);
}

static void write_replconf(struct buf *out, struct slice name, struct slice value)
{
    write_words(out, (struct slice[]){SLICE_LITERAL("REPLCONF"), name, value}, 3);
}

/* Where others are told that this server is. */
static void announce(struct cw_repl *repl, struct buf *out)
{
    const struct cw_repl_settings *settings = repl_settings(repl);
    char port[NUMBER_TEXT_MAX];
    size_t length = number_format_i64(port, settings->announced_port > 0 ? settings->announced_port
                                                                         : cw_engine_config(repl->engine)->port);
    write_replconf(out, SLICE_LITERAL("listening-port"), slice_of(port, length));
    if (settings->announced_host.length > 0) {
        write_replconf(out, SLICE_LITERAL("ip-address"), settings->announced_host);
        repl->follow.replies_wanted++;
    }
}

bool repl_stock_log_in(const struct cw_repl *repl, struct buf *out)
{
    const struct cw_migration *migration = &repl->migration;
    struct slice user = slice_text(migration->known.user), password = buf_slice(&migration->password);
    if (!migration->is_following)
        cw_engine_master_login(repl->engine, &user, &password);
    if (password.length == 0)
        return false;
    write_auth(out, user, password);
    return true;
}

static void write_ability(struct buf *out, const char *ability)
{
    resp_write_bulk_text(out, "capa");
    resp_write_bulk_text(out, ability);
}

/* A server that makes a file of its snapshot says how long it is, so that it is known how much is left. One that cannot
 * is asked to send it as it makes it: each attempt that fails before the snapshot is there asks in the other way. */
static void write_abilities(struct cw_repl *repl, struct buf *out)
{
    bool is_migrating = repl->migration.is_following;
    bool takes_any_length = !is_migrating || repl->follow.takes_any_length;
    resp_write_array(out, !is_migrating ? 7 : takes_any_length ? 5 : 3);
    resp_write_bulk_text(out, "REPLCONF");
    if (takes_any_length)
        write_ability(out, "eof");
    write_ability(out, "psync2");
    if (!is_migrating)
        repl_follow_write_room(repl, out);
}

/* The rest of the greeting, once it is known that somebody answers. */
static void introduce(struct cw_repl *repl)
{
    struct follow *follow = &repl->follow;
    struct buf *out = cw_engine_output(repl->engine, follow->link);
    if (repl_stock_log_in(repl, out)) {
        follow->replies_wanted += AUTH_REPLIES;
        follow->gave_password = true;
    }
    announce(repl, out);
    write_abilities(repl, out);
    follow->replies_wanted += REPLCONF_REPLIES;
    cw_engine_flush(repl->engine, follow->link);
}

/* Who wants a password first is there all the same. */
static bool is_alive(struct slice line)
{
    return line.data[0] == '+' || slice_starts_with(line, "-NOAUTH") || slice_starts_with(line, "-NOPERM") ||
           slice_starts_with(line, "-ERR operation not permitted");
}

static bool complain(char why[TROUBLE_MAX], const char *what, struct slice line)
{
    snprintf(why, TROUBLE_MAX, "%s: %.*s", what, (int)(line.length < TROUBLE_MAX ? line.length : TROUBLE_MAX),
             line.data);
    return false;
}

/* A master that does not know a word of REPLCONF is fine. */
bool repl_stock_take_reply(struct cw_repl *repl, struct slice line, char why[TROUBLE_MAX])
{
    struct follow *follow = &repl->follow;
    unsigned number = follow->replies_seen++;
    if (number == 0 && !is_alive(line))
        return complain(why, "it does not answer PING", line);
    if (number == 1 && follow->gave_password && line.data[0] == '-')
        return complain(why, "it does not take the user and password", line);
    if (number == 0)
        introduce(repl);
    return true;
}
