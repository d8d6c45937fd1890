#include "common/base/errors.h"

const char *error_text(int code)
{
    switch (code) {
    case 0: return "ok";
#define X(name, number, text)                                                                                          \
    case name: return text;
        ERROR_LIST(X)
#undef X
    default: return "unknown error";
    }
}
