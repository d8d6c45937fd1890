#include "cacheworker/string/string_edit.h"

#include "cacheworker/engine/settings.h"
#include "cacheworker/keyspace/lookup.h"

size_t cw_string_length_max(const struct cw_call *call)
{
    size_t allowed = call->settings->limits.bulk_length_max;
    bool is_bound = call->session != NULL && allowed < CW_STRING_LENGTH_MAX;
    return is_bound ? allowed : CW_STRING_LENGTH_MAX;
}

char *cw_string_edit(struct cw_call *call, struct cw_ref *ref, size_t length)
{
    bool created = ref->entry == NULL;
    if (created)
        cw_keyspace_put(call->keyspace, ref, CW_TYPE_STRING, CW_ENCODING_RAW, slice_of(NULL, 0));
    char *bytes = cw_keyspace_resize(call->keyspace, ref, length);
    if (!bytes) {
        if (created)
            cw_keyspace_delete(call->keyspace, ref);
        cw_reply_error(call, CW_ERROR_NO_MEMORY);
        return NULL;
    }
    cw_keyspace_set_encoding(ref, CW_ENCODING_RAW);
    return bytes;
}
