#include "cacheworker/rdb/rdb_check.h"

#include "cacheworker/engine/objects.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/script/functions.h"
#include "cacheworker/script/scripting.h"
#include "common/base/errors.h"
#include "common/base/fiber.h"

#include <inttypes.h>

enum { FREE_BUDGET = 1 << 20 };

static void count(struct cw_rdb_check *check, unsigned type, int64_t expire_ms)
{
    check->keys++;
    check->of_type[type < RDB_TYPES ? type : RDB_TYPE_LAST]++;
    check->expiring += expire_ms != CW_NO_EXPIRY;
}

static int check_aux(void *context, struct slice name, struct slice value)
{
    struct cw_rdb_check *check = context;
    int result = check->loader.aux(check->loader.context, name, value);
    buf_clear(&check->load.programs); /* scripts that EVALSHA knew: they need not compile */
    return result;
}

static int check_string(void *context, unsigned database, struct slice key, struct slice value, int64_t expire_ms)
{
    (void)database, (void)key, (void)value;
    count(context, RDB_TYPE_STRING, expire_ms);
    return 0;
}

static int check_begin(void *context, unsigned type, unsigned database, struct slice key, int64_t expire_ms)
{
    struct cw_rdb_check *check = context;
    (void)database; /* of the reader; the keyspace has one */
    count(check, type, expire_ms);
    return check->loader.begin(check->loader.context, type, 0, key, expire_ms);
}

static int check_parts(void *context, struct cw_rdb_cursor *cursor)
{
    struct cw_rdb_check *check = context;
    int result = check->loader.parts(check->loader.context, cursor);
    if (result > 0 && check->load.ref.entry != NULL) {
        cw_keyspace_delete(check->keyspace, &check->load.ref);
        while (cw_keyspace_free_step(check->keyspace, FREE_BUDGET))
            continue;
    }
    return result;
}

static bool begin_libraries(struct cw_rdb_check *check)
{
    if (check->functions != NULL)
        return true;
    if (check->fiber == NULL)
        check->fiber = fiber_create(CW_SCRIPT_STACK);
    struct cw_interpreter_config config = {.kind = CW_SCRIPT_FUNCTION,
                                           .limit_bytes = CW_SCRIPT_HEAP_BYTES,
                                           .fiber = check->fiber,
                                           .random = &check->random};
    if (check->fiber != NULL && check->interpreter == NULL)
        check->interpreter = cw_interpreter_create(&config);
    if (check->interpreter != NULL)
        check->functions = cw_functions_create(check->interpreter, (struct siphash_key){{1, 2}});
    return check->functions != NULL;
}

static int check_function(void *context, struct slice code)
{
    struct cw_rdb_check *check = context;
    if (!begin_libraries(check))
        return ERR_NO_MEMORY;
    if (cw_functions_load(check->functions, code, false, &check->words) == NULL)
        return ERR_CORRUPT;
    check->libraries++;
    return 0;
}

void cw_rdb_check_init(struct cw_rdb_check *check)
{
    const struct cw_keyspace_config config = {
        .databases = 1, .seed = 1, .expiry_mode = CW_EXPIRY_IGNORED, .objects = &cw_objects};
    *check = (struct cw_rdb_check){.random = CW_SCRIPT_RANDOM, .keyspace = cw_keyspace_create(&config)};
    cw_rdb_load_init(&check->load, check->keyspace);
    check->loader = check->load.reader.visitor;
    check->load.reader.databases = UINT32_MAX;
    check->load.reader.visitor = (struct cw_rdb_visitor){.context = check,
                                                         .aux = check_aux,
                                                         .string = check_string,
                                                         .function = check_function,
                                                         .begin = check_begin,
                                                         .parts = check_parts};
}

void cw_rdb_check_free(struct cw_rdb_check *check)
{
    cw_functions_destroy(check->functions);
    cw_interpreter_destroy(check->interpreter);
    if (check->fiber != NULL)
        fiber_free(check->fiber);
    cw_rdb_load_free(&check->load);
    cw_keyspace_destroy(check->keyspace);
    buf_free(&check->words);
    *check = (struct cw_rdb_check){.keys = 0};
}

int cw_rdb_check_read(struct cw_rdb_check *check, struct slice bytes, size_t *ret_used)
{
    int result = cw_rdb_read(&check->load.reader, bytes, ret_used);
    check->is_complete = result > 0;
    return result;
}

void cw_rdb_check_tell(const struct cw_rdb_check *check, int error, struct buf *out)
{
    cw_rdb_reader_tell(&check->load.reader, error, out);
    if (buf_length(&check->words) > 0) {
        buf_add_text(out, ": a library of functions: ");
        buf_add_slice(out, buf_slice(&check->words));
    }
}

void cw_rdb_check_sum_up(const struct cw_rdb_check *check, struct buf *out)
{
    buf_add_format(out, "RDB version %u, %" PRIu64 " keys (%" PRIu64 " expire)", check->load.reader.version,
                   check->keys, check->expiring);
    const char *before = ": ";
    for (unsigned type = 0; type < RDB_TYPES; type++) {
        if (check->of_type[type] == 0)
            continue;
        buf_add_format(out, "%s%" PRIu64 " %s", before, check->of_type[type], cw_rdb_type_name(type));
        before = ", ";
    }
    if (check->libraries > 0)
        buf_add_format(out, "; %" PRIu64 " libraries of functions", check->libraries);
    if (check->load.reader.module[0] != '\0')
        buf_add_format(out, "; data of the module %s, which are passed over", check->load.reader.module);
}
