#include "cacheworker/acl/acl_file.h"

#include "common/base/errors.h"

enum { PIECE = 64 << 10, FILE_MAX = 256 << 20 };

static int read_all(const struct storage *storage, void *file, struct buf *out)
{
    for (;;) {
        size_t length;
        int error = storage->read(storage->context, file, buf_reserve(out, PIECE), PIECE, &length);
        if (error < 0 || length == 0)
            return error;
        buf_commit(out, length);
        if (buf_length(out) > FILE_MAX)
            return ERR_TOO_BIG;
    }
}

int cw_acl_load(struct cw_acl *acl, const struct storage *storage, const char *name, bool *ret_is_empty,
                struct buf *errors)
{
    struct buf text = {0};
    void *file;
    int error = storage->open_read(storage->context, name, &file);
    if (error == 0) {
        error = read_all(storage, file, &text);
        storage->close(storage->context, file);
    }
    *ret_is_empty = buf_length(&text) == 0;
    if (error == 0)
        error = cw_acl_read(acl, buf_slice(&text), name, errors);
    else
        buf_add_format(errors, "Error loading ACLs, opening file '%s': %s", name, error_text(error));
    buf_free(&text);
    return error;
}

int cw_acl_save(const struct cw_acl *acl, const struct storage *storage, const char *name)
{
    void *file;
    int error = storage->open_write(storage->context, name, &file);
    if (error < 0)
        return error;
    struct buf text = {0};
    if (acl != NULL)
        cw_acl_write(acl, &text);
    error = storage->write(storage->context, file, buf_slice(&text));
    buf_free(&text);
    if (error == 0)
        return storage->commit(storage->context, file);
    storage->close(storage->context, file);
    return error;
}
