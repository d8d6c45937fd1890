#include "cacheworker/ha/ha_internal.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/resp/resp_writer.h"

static void begin_message(struct cw_ha *ha, enum message_kind kind)
{
    memset(&ha->out, 0, sizeof(ha->out));
    ha->out.kind = kind;
    memcpy(ha->out.group, ha->durable.group, sizeof(ha->out.group));
}

static void send_letter(struct cw_ha *ha, uint64_t address)
{
    /* Without room it is lost: whoever asked asks again. */
    if (cw_mailbox_put(&ha->desk->to_control, address, buf_slice(&ha->letter_out)))
        ha->wakes = true;
}

static void send_message(struct cw_ha *ha, uint64_t address)
{
    buf_clear(&ha->letter_out);
    message_encode(&ha->out, &ha->letter_out);
    send_letter(ha, address);
}

/* --- FENCE --- */

static void send_fenced(struct cw_ha *ha, const struct owed_fenced *owed)
{
    begin_message(ha, MESSAGE_FENCED);
    struct fenced *fenced = &ha->out.fenced;
    fenced->epoch = owed->epoch;
    fenced->ballot = owed->ballot;
    fenced->life = ha->durable.life;
    fenced->is_release = ha->role == ROLE_MASTER && ha->epoch + 1 == owed->epoch;
    fenced->history = *cw_repl_history(cw_engine_repl(ha->engine));
    fenced->acknowledged_offset = fenced->is_release ? cw_ha_acknowledged(ha) : 0;
    fenced->damaged = cw_repl_is_damaged(cw_engine_repl(ha->engine));
    send_message(ha, owed->address);
}

void cw_ha_send_fenced(struct cw_ha *ha)
{
    for (unsigned i = 0; i < OWED_MAX; i++) {
        struct owed_fenced *owed = &ha->owed[i];
        if (owed->address == 0 || (owed->epoch == ha->wanted.fence && owed->epoch != ha->durable.fence))
            continue;
        if (owed->epoch == ha->wanted.fence) /* else a higher fence has come: this proposer is superseded */
            send_fenced(ha, owed);
        owed->address = 0;
    }
}

/* One per conversation: a newer FENCE of the same sentinel takes the place of the older. */
static void owe_fenced(struct cw_ha *ha, const struct owed_fenced *owed)
{
    struct owed_fenced *place = NULL;
    for (unsigned i = 0; i < OWED_MAX; i++)
        if (ha->owed[i].address == owed->address)
            place = &ha->owed[i];
    for (unsigned i = 0; i < OWED_MAX && place == NULL; i++)
        if (ha->owed[i].address == 0)
            place = &ha->owed[i];
    if (place == NULL)
        place = &ha->owed[ha->owed_turn++ % OWED_MAX];
    *place = *owed;
}

static bool is_own_group(const struct cw_ha *ha, const char *group)
{
    return ha->wanted.group[0] != '\0' && strcmp(ha->wanted.group, group) == 0;
}

static void take_fence(struct cw_ha *ha, uint64_t address, const struct message *message)
{
    uint64_t epoch = message->fence.epoch;
    bool is_old = epoch <= ha->topology.epoch || epoch <= ha->epoch || epoch < ha->wanted.fence;
    bool is_ours = is_own_group(ha, message->group);
    if (!is_ours || is_old) {
        cw_ha_refuse_letter(ha, is_ours ? REFUSAL_OLD : REFUSAL_GROUP);
        return;
    }
    owe_fenced(ha, &(struct owed_fenced){.address = address, .epoch = epoch, .ballot = message->fence.ballot});
    if (epoch > ha->wanted.fence)
        cw_ha_take_fence(ha, epoch);
    cw_ha_send_fenced(ha);
}

/* --- INSYNC --- */

void cw_ha_send_insync(struct cw_ha *ha)
{
    begin_message(ha, MESSAGE_INSYNC);
    ha->out.insync = ha->insync.request;
    send_message(ha, CW_TO_A_SENTINEL);
}

/* --- what is not taken --- */

void cw_ha_refuse_letter(struct cw_ha *ha, enum refusal refusal)
{
    ha->letters_refused[refusal]++;
}

void cw_ha_tell_refusals(struct cw_ha *ha)
{
    struct buf text = {0};
    for (unsigned i = 0; i < REFUSAL_KINDS; i++)
        ha->refusals.counts[i] =
            ha->letters_refused[i] + atomic_load_explicit(&ha->desk->refused[i], memory_order_relaxed);
    if (!refusals_tell(&ha->refusals, cw_engine_now_ns(ha->engine)))
        return;
    refusals_format(&ha->refusals, &text);
    effect_log(cw_engine_effects(ha->engine), LOG_LEVEL_WARNING, "refused on the control port, so far: %.*s",
               (int)buf_length(&text), buf_slice(&text).data);
    buf_free(&text);
}

/* --- letters --- */

/* What the control core let pass is whole, and comes from whom it may come. */
static void take_letter(struct cw_ha *ha, uint64_t address)
{
    static const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct resp_request *request = &ha->request;
    if (resp_request_read(request, buf_slice(&ha->letter_in), &limits) <= 0 || request->argc == 0)
        return;
    if (request->argc >= 2 && slice_equal_nocase(request->argv[1], "migrate") &&
        slice_equal_nocase(request->argv[0], "respite")) {
        buf_clear(&ha->letter_out);
        cw_repl_migrate(cw_engine_repl(ha->engine), request->argv + 2, request->argc - 2, &ha->letter_out);
        send_letter(ha, address);
        return;
    }
    if (!slice_equal_nocase(request->argv[0], "respite")) {
        buf_clear(&ha->letter_out);
        cw_engine_answer_question(ha->engine, request->argv, request->argc, &ha->letter_out);
        send_letter(ha, address);
        return;
    }
    /* Who does not know its history yet takes no role and answers no fence; a sentinel says it again. */
    if (cw_engine_is_loading(ha->engine) || message_decode(request->argv, request->argc, &ha->in) < 0)
        return;
    if (ha->in.kind == MESSAGE_FENCE)
        take_fence(ha, address, &ha->in);
    else if (ha->in.kind == MESSAGE_LEARN)
        cw_ha_take_topology(ha, &ha->in.learn.topology);
}

/* What came is told before the commands of this turn are executed: they may take long. */
void cw_ha_read_letters(struct cw_ha *ha)
{
    uint64_t address;
    uint64_t before = ha->letters_read;
    while (cw_mailbox_take(&ha->desk->to_command, &address, &ha->letter_in)) {
        ha->letters_read++;
        take_letter(ha, address);
    }
    if (ha->letters_read == before)
        return;
    cw_ha_publish(ha);
    ha->wakes = true;
}

/* --- what is asked on other ports --- */

/* RESPITE ATTACH secret epoch node incarnation bits [user]: a proxy's backend link, for the commands of that user. */
static void attach(struct cw_ha *ha, link_id link, const struct slice *argv, size_t argc)
{
    struct buf *out = cw_engine_output(ha->engine, link);
    struct slice secret = cw_engine_config(ha->engine)->secret;
    uint64_t epoch;
    struct life life;
    if (argc < 7 || argc > 8 || number_parse_u64(argv[3], &epoch) < 0 || identity_parse(argv[4], &life.node) < 0 ||
        number_parse_u64(argv[5], &life.incarnation) < 0 || number_parse_u64(argv[6], &life.bits) < 0) {
        resp_write_error(out, SLICE_LITERAL("ERR usage: RESPITE ATTACH secret epoch node incarnation bits [user]"));
    } else if (secret.length == 0 || !slice_equal_secret(argv[2], secret)) {
        resp_write_error(out, SLICE_LITERAL("WRONGPASS wrong secret"));
        cw_engine_drain(ha->engine, link);
    } else if (!cw_ha_is_master_of(ha, epoch, &life)) {
        resp_write_error(out, SLICE_LITERAL("NOTMASTER this node is not the master of that epoch"));
        cw_engine_drain(ha->engine, link);
    } else if (argc == 8 && !cw_engine_attach_as(ha->engine, link, argv[7])) {
        resp_write_error(out, SLICE_LITERAL("WRONGPASS there is no such user, or it is off"));
        cw_engine_drain(ha->engine, link);
    } else {
        if (argc == 7)
            cw_engine_attach(ha->engine, link);
        resp_write_ok(out);
    }
}

static bool serves(const struct cw_ha *ha)
{
    enum cw_serving serving = cw_ha_serving(ha, cw_engine_now_ns(ha->engine));
    return serving == CW_SERVING_MASTER || serving == CW_SERVING_MIGRATING;
}

/* RESPITE LOGIN [user] password: a client of a proxy says who it is. RESPITE MAY command [argument ...]: one asks for
 * what the proxy does itself. Only who serves knows the group's present users. */
static void answer_proxy(struct cw_ha *ha, link_id link, const struct slice *argv, size_t argc)
{
    struct buf *out = cw_engine_output(ha->engine, link);
    bool is_login = slice_equal_nocase(argv[1], "login");
    if (!cw_engine_is_attached(ha->engine, link))
        resp_write_error(out, SLICE_LITERAL("NOAUTH this is for proxies"));
    else if (!serves(ha))
        resp_write_error(out, SLICE_LITERAL("NOTMASTER this node does not serve now"));
    else if (is_login && (argc == 3 || argc == 4))
        cw_engine_answer_login(ha->engine, link, argv + 2, argc - 2);
    else if (!is_login && argc > 2)
        cw_engine_answer_may(ha->engine, link, argv + 2, argc - 2);
    else
        resp_write_error(out, SLICE_LITERAL("ERR usage: RESPITE LOGIN [user] password, RESPITE MAY command ..."));
}

/* RESPITE READS: a proxy asks nothing but reads there. */
static void take_reads(struct cw_ha *ha, link_id link)
{
    struct buf *out = cw_engine_output(ha->engine, link);
    if (!cw_engine_is_attached(ha->engine, link)) {
        resp_write_error(out, SLICE_LITERAL("NOAUTH this is for proxies"));
        return;
    }
    cw_engine_take_reads(ha->engine, link);
    resp_write_ok(out);
}

static void tell_topology(struct cw_ha *ha, link_id link)
{
    struct buf *out = cw_engine_output(ha->engine, link);
    if (!cw_engine_is_authenticated(ha->engine, link)) {
        resp_write_error(out, SLICE_LITERAL("NOAUTH Authentication required."));
        return;
    }
    if (ha->topology.version == 0) {
        resp_write_null(out, 2);
        return;
    }
    struct buf text = {0};
    topology_encode(&ha->topology, &text);
    resp_write_bulk(out, buf_slice(&text));
    buf_free(&text);
}

void cw_ha_request(struct cw_ha *ha, link_id link, const struct slice *argv, size_t argc)
{
    if (argc >= 2 && slice_equal_nocase(argv[1], "attach"))
        attach(ha, link, argv, argc);
    else if (argc == 2 && slice_equal_nocase(argv[1], "topology"))
        tell_topology(ha, link);
    else if (argc == 2 && slice_equal_nocase(argv[1], "reads"))
        take_reads(ha, link);
    else if (argc >= 2 && (slice_equal_nocase(argv[1], "login") || slice_equal_nocase(argv[1], "may")))
        answer_proxy(ha, link, argv, argc);
    else
        resp_write_error(cw_engine_output(ha->engine, link), SLICE_LITERAL("ERR unknown subcommand of RESPITE"));
}
