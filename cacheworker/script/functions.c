#include "cacheworker/script/functions.h"

#include "cacheworker/rdb/rdb_cursor.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/script/guard.h"
#include "cacheworker/script/scripting.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/resp/resp_writer.h"

/* --- sets --- */

struct cw_functions *cw_functions_create(struct cw_interpreter *interpreter, struct siphash_key seed)
{
    struct cw_functions *functions = mem_zero(sizeof(*functions));
    functions->interpreter = interpreter;
    hashmap_init(&functions->libraries, seed);
    hashmap_init(&functions->by_name, seed);
    list_init(&functions->all);
    return functions;
}

static void free_function(struct cw_interpreter *interpreter, struct cw_function *function)
{
    cw_interpreter_forget(interpreter, function->reference);
    list_remove(&function->of_library);
    mem_free(function->name);
    mem_free(function->key);
    mem_free(function->description);
    mem_free(function);
}

/* One that is in no set. */
static void free_library(struct cw_interpreter *interpreter, struct cw_library *library)
{
    LIST_FOR_EACH(node, &library->functions)
    free_function(interpreter, LIST_ENTRY(node, struct cw_function, of_library));
    mem_free(library->name);
    mem_free(library->code);
    mem_free(library);
}

static void link_library(struct cw_functions *functions, struct cw_library *library)
{
    hashmap_add(&functions->libraries, &library->node, slice_text(library->name));
    list_add_last(&functions->all, &library->all);
    LIST_FOR_EACH(node, &library->functions)
    {
        struct cw_function *function = LIST_ENTRY(node, struct cw_function, of_library);
        hashmap_add(&functions->by_name, &function->node, slice_text(function->key));
    }
}

static void unlink_library(struct cw_functions *functions, struct cw_library *library)
{
    hashmap_remove(&functions->libraries, &library->node);
    list_remove(&library->all);
    LIST_FOR_EACH(node, &library->functions)
    hashmap_remove(&functions->by_name, &LIST_ENTRY(node, struct cw_function, of_library)->node);
}

void cw_functions_delete(struct cw_functions *functions, struct cw_library *library)
{
    unlink_library(functions, library);
    free_library(functions->interpreter, library);
}

void cw_functions_destroy(struct cw_functions *functions)
{
    if (functions == NULL)
        return;
    LIST_FOR_EACH(node, &functions->all)
    cw_functions_delete(functions, LIST_ENTRY(node, struct cw_library, all));
    hashmap_free(&functions->libraries);
    hashmap_free(&functions->by_name);
    mem_free(functions);
}

static void lower(char *ret_text, struct slice name)
{
    for (size_t i = 0; i < name.length; i++)
        ret_text[i] = name.data[i] >= 'A' && name.data[i] <= 'Z' ? (char)(name.data[i] - 'A' + 'a') : name.data[i];
}

struct cw_function *cw_functions_find(const struct cw_functions *functions, struct slice name)
{
    char key[CW_FUNCTION_NAME_MAX];
    if (name.length > sizeof(key))
        return NULL;
    lower(key, name);
    struct hashmap_node *node = hashmap_find(&functions->by_name, slice_of(key, name.length));
    return node != NULL ? CONTAINER_OF(node, struct cw_function, node) : NULL;
}

struct cw_library *cw_functions_library(const struct cw_functions *functions, struct slice name)
{
    struct hashmap_node *node = hashmap_find(&functions->libraries, name);
    return node != NULL ? CONTAINER_OF(node, struct cw_library, node) : NULL;
}

/* --- the first line --- */

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return name.length > 0;
}

#define NAME_RULE                                                                                                      \
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"

static int refuse(struct buf *error, const char *words, struct slice what, const char *end)
{
    buf_add_text(error, words);
    buf_add_slice(error, what);
    buf_add_text(error, end);
    return ERR_INVALID;
}

static const struct slice nothing;

static struct slice without_quotes(struct slice word)
{
    bool is_quoted =
        word.length >= 2 && (word.data[0] == '"' || word.data[0] == '\'') && word.data[word.length - 1] == word.data[0];
    return is_quoted ? slice_of(word.data + 1, word.length - 2) : word;
}

static int read_options(struct slice line, struct slice *ret_name, struct buf *error)
{
    bool has_name = false;
    struct slice word;
    while ((word = cw_script_next_word(&line)).length > 0) {
        if (word.length < 5 || strncasecmp(word.data, "name=", 5) != 0)
            return refuse(error, "Invalid metadata value given: ", word, "");
        if (has_name)
            return refuse(error, "Invalid metadata value, name argument was given multiple times", nothing, "");
        *ret_name = without_quotes(slice_skip(word, 5));
        has_name = true;
    }
    return has_name ? 0 : refuse(error, "Library name was not given", nothing, "");
}

/* "#!lua name=library". */
static int read_first_line(struct slice code, struct slice *ret_name, size_t *ret_length, struct buf *error)
{
    if (code.length < 2 || memcmp(code.data, "#!", 2) != 0)
        return refuse(error, "Missing library metadata", nothing, "");
    const char *end = memchr(code.data, '\n', code.length);
    if (end == NULL)
        return refuse(error, "Invalid library metadata", nothing, "");
    struct slice line = slice_of(code.data, (size_t)(end - code.data));
    *ret_length = line.length;
    struct slice engine = slice_skip(cw_script_next_word(&line), 2);
    int result = read_options(line, ret_name, error);
    if (result < 0)
        return result;
    if (!is_name(*ret_name))
        return refuse(error, NAME_RULE, nothing, "");
    if (!slice_equal_nocase(engine, "lua"))
        return refuse(error, "Engine '", engine, "' not found");
    return 0;
}

/* --- registering --- */

struct registration {
    struct slice name;
    struct slice description;
    bool has_description;
    uint32_t flags;
    int callback; /* place on the stack; 0: none was given */
};

static int raise_words(lua_State *state, const char *words)
{
    return cw_raise(state, words);
}

static bool take_text(lua_State *state, int index, struct slice *ret_text)
{
    if (!lua_isstring(state, index))
        return false;
    ret_text->data = lua_tolstring(state, index, &ret_text->length);
    return true;
}

/* The table of flags on top. */
static bool read_flags(lua_State *state, uint32_t *flags)
{
    for (int i = 1;; i++) {
        lua_rawgeti(state, -1, i);
        if (lua_isnil(state, -1))
            break;
        struct slice word;
        uint32_t flag;
        if (!take_text(state, -1, &word) || cw_script_read_flag(word, &flag) < 0) {
            lua_pop(state, 1);
            return false;
        }
        *flags |= flag;
        lua_pop(state, 1);
    }
    lua_pop(state, 1);
    return true;
}

/* On top is the value of a named argument. Texts stay alive in the table. */
static const char *read_named(lua_State *state, struct slice key, struct registration *registration)
{
    if (slice_equal_nocase(key, "function_name")) {
        if (lua_type(state, -1) != LUA_TSTRING || !take_text(state, -1, &registration->name))
            return "function_name argument given to redis.register_function must be a string";
    } else if (slice_equal_nocase(key, "description")) {
        if (lua_type(state, -1) != LUA_TSTRING || !take_text(state, -1, &registration->description))
            return "description argument given to redis.register_function must be a string";
        registration->has_description = true;
    } else if (slice_equal_nocase(key, "callback")) {
        if (!lua_isfunction(state, -1))
            return "callback argument given to redis.register_function must be a function";
        lua_pushvalue(state, -1);
        lua_replace(state, 2);
        registration->callback = 2;
    } else if (slice_equal_nocase(key, "flags")) {
        if (!lua_istable(state, -1))
            return "flags argument to redis.register_function must be a table representing function flags";
        if (!read_flags(state, &registration->flags))
            return "unknown flag given";
    } else {
        return "unknown argument given to redis.register_function";
    }
    return NULL;
}

/* One table of named arguments. */
static void read_table(lua_State *state, struct registration *registration)
{
    if (!lua_istable(state, 1))
        raise_words(state, "calling redis.register_function with a single argument is only applicable to Lua table "
                           "(representing named arguments).");
    lua_pushnil(state); /* place of the callback */
    lua_pushnil(state);
    while (lua_next(state, 1)) {
        struct slice key = {NULL, 0};
        if (lua_type(state, -2) == LUA_TNUMBER)
            raise_words(state, "unknown argument given to redis.register_function");
        if (lua_type(state, -2) != LUA_TSTRING || !take_text(state, -2, &key))
            raise_words(state, "named argument key given to redis.register_function is not a string");
        const char *words = read_named(state, key, registration);
        if (words != NULL)
            raise_words(state, words);
        lua_pop(state, 1);
    }
    if (registration->name.data == NULL)
        raise_words(state, "redis.register_function must get a function name argument");
    if (registration->callback == 0)
        raise_words(state, "redis.register_function must get a callback argument");
}

static void read_two(lua_State *state, struct registration *registration)
{
    if (!take_text(state, 1, &registration->name))
        raise_words(state, "first argument to redis.register_function must be a string");
    if (!lua_isfunction(state, 2))
        raise_words(state, "second argument to redis.register_function must be a function");
    registration->callback = 2;
}

static bool has_function(const struct cw_library *library, struct slice name)
{
    LIST_FOR_EACH(node, &library->functions)
    if (slice_equal_nocase(name, LIST_ENTRY(node, struct cw_function, of_library)->name))
        return true;
    return false;
}

int cw_register_function(lua_State *state)
{
    struct cw_library *library = cw_interpreter_of(state)->library;
    if (library == NULL)
        return cw_raise(state, "redis.register_function can only be called on FUNCTION LOAD command");
    int count = lua_gettop(state);
    if (count < 1 || count > 2)
        return cw_raise(state, "wrong number of arguments to redis.register_function");
    struct registration registration = {0};
    if (count == 1)
        read_table(state, &registration);
    else
        read_two(state, &registration);
    if (!is_name(registration.name))
        return cw_raise(state, NAME_RULE);
    if (registration.name.length > CW_FUNCTION_NAME_MAX)
        return cw_raise(state, "Function name is too long");
    if (has_function(library, registration.name))
        return cw_raise(state, "Function already exists in the library");
    lua_pushvalue(state, registration.callback);
    int reference = luaL_ref(state, LUA_REGISTRYINDEX); /* the last that can fail */
    struct cw_function *function = mem_zero(sizeof(*function));
    function->reference = reference;
    function->library = library;
    function->name = mem_copy_text(registration.name.data, registration.name.length);
    function->key = mem_copy_text(registration.name.data, registration.name.length);
    lower(function->key, registration.name);
    if (registration.has_description) {
        function->description = mem_copy_text(registration.description.data, registration.description.length);
        function->description_length = registration.description.length;
    }
    function->flags = registration.flags;
    list_init(&function->of_library);
    list_add_last(&library->functions, &function->of_library);
    library->function_count++;
    return 0;
}

/* --- loading --- */

struct loading {
    struct slice code; /* behind the first line */
    unsigned pulses;
    struct buf *error;
};

static const char *count_pulse(void *context)
{
    struct loading *loading = context;
    return ++loading->pulses > CW_LOAD_PULSES ? "FUNCTION LOAD timeout" : NULL;
}

static const struct cw_script_host load_host = {.interrupt = count_pulse};

static struct cw_library *create_library(struct slice name, struct slice code)
{
    struct cw_library *library = mem_zero(sizeof(*library));
    list_init(&library->all);
    list_init(&library->functions);
    library->name = mem_copy_text(name.data, name.length);
    library->code = mem_copy_text(code.data, code.length);
    library->code_length = code.length;
    return library;
}

static bool run_code(struct cw_functions *functions, struct cw_library *library, struct slice code, struct buf *error)
{
    struct cw_interpreter *interpreter = functions->interpreter;
    struct loading loading = {.code = code};
    int reference;
    buf_add_text(error, "Error compiling function: ");
    if (cw_interpreter_compile(interpreter, code, "@user_function", &reference, error) < 0)
        return false;
    buf_clear(error);
    buf_add_text(error, "Error registering functions: ");
    interpreter->library = library;
    bool well = cw_interpreter_run_library(interpreter, reference, &load_host, &loading, error);
    interpreter->library = NULL;
    cw_interpreter_forget(interpreter, reference);
    if (!well)
        return false;
    buf_clear(error);
    return true;
}

/* Whether no function of it is another library's. */
static bool is_unique(const struct cw_functions *functions, const struct cw_library *library, struct buf *error)
{
    LIST_FOR_EACH(node, &library->functions)
    {
        struct slice name = slice_text(LIST_ENTRY(node, struct cw_function, of_library)->name);
        if (cw_functions_find(functions, name) != NULL) {
            refuse(error, "Function ", name, " already exists");
            return false;
        }
    }
    return true;
}

struct cw_library *cw_functions_load(struct cw_functions *functions, struct slice code, bool may_replace,
                                     struct buf *error)
{
    struct slice name;
    size_t line_length = 0;
    if (read_first_line(code, &name, &line_length, error) < 0)
        return NULL;
    struct cw_library *old = cw_functions_library(functions, name);
    if (old != NULL && !may_replace) {
        refuse(error, "Library '", name, "' already exists");
        return NULL;
    }
    if (old != NULL)
        unlink_library(functions, old);
    struct cw_library *library = create_library(name, code);
    bool well = run_code(functions, library, slice_skip(code, line_length), error);
    if (well && library->function_count == 0) {
        refuse(error, "No functions registered", nothing, "");
        well = false;
    }
    if (well && is_unique(functions, library, error)) {
        link_library(functions, library);
        if (old != NULL)
            free_library(functions->interpreter, old);
        return library;
    }
    if (old != NULL)
        link_library(functions, old);
    free_library(functions->interpreter, library);
    return NULL;
}

/* --- joining --- */

static void move_all(struct cw_functions *into, struct cw_functions *from)
{
    LIST_FOR_EACH(node, &from->all)
    {
        struct cw_library *library = LIST_ENTRY(node, struct cw_library, all);
        unlink_library(from, library);
        link_library(into, library);
    }
}

/* Takes those of `into` aside that have a name of `from`. */
static int set_aside(struct cw_functions *into, const struct cw_functions *from, bool may_replace,
                     struct list *replaced, struct buf *error)
{
    LIST_FOR_EACH(node, &from->all)
    {
        struct slice name = slice_text(LIST_ENTRY(node, struct cw_library, all)->name);
        struct cw_library *old = cw_functions_library(into, name);
        if (old == NULL)
            continue;
        if (!may_replace) {
            refuse(error, "Library ", name, " already exists");
            return ERR_EXISTS;
        }
        unlink_library(into, old);
        list_add_last(replaced, &old->all);
    }
    LIST_FOR_EACH(node, &from->all)
    if (!is_unique(into, LIST_ENTRY(node, struct cw_library, all), error))
        return ERR_EXISTS;
    return 0;
}

int cw_functions_join(struct cw_functions *into, struct cw_functions *from, bool may_replace, struct buf *error)
{
    struct list replaced;
    list_init(&replaced);
    int result = set_aside(into, from, may_replace, &replaced, error);
    LIST_FOR_EACH(node, &replaced)
    {
        struct cw_library *library = LIST_ENTRY(node, struct cw_library, all);
        list_remove(node);
        if (result == 0)
            free_library(into->interpreter, library);
        else
            link_library(into, library);
    }
    if (result == 0)
        move_all(into, from);
    return result;
}

/* --- dumps --- */

void cw_functions_dump(const struct cw_functions *functions, struct buf *out)
{
    LIST_FOR_EACH(node, &functions->all)
    {
        const struct cw_library *library = LIST_ENTRY(node, struct cw_library, all);
        cw_rdb_add_byte(out, RDB_OPCODE_FUNCTION);
        cw_rdb_add_string(out, slice_of(library->code, library->code_length));
    }
}

void cw_functions_write_commands(const struct cw_functions *functions, struct buf *out)
{
    LIST_FOR_EACH(node, &functions->all)
    {
        const struct cw_library *library = LIST_ENTRY(node, struct cw_library, all);
        resp_write_array(out, 3);
        resp_write_bulk(out, SLICE_LITERAL("FUNCTION"));
        resp_write_bulk(out, SLICE_LITERAL("LOAD"));
        resp_write_bulk(out, slice_of(library->code, library->code_length));
    }
}

int cw_functions_restore(struct cw_functions *functions, struct slice items, struct buf *error)
{
    struct cw_rdb_cursor cursor = {.bytes = items};
    struct buf unpacked = {0};
    int result = 0;
    while (result == 0 && cursor.position < items.length) {
        const unsigned char *type;
        struct slice code;
        if (cw_rdb_take(&cursor, 1, &type) <= 0 || *type != RDB_OPCODE_FUNCTION)
            result = refuse(error, "given type is not a function", nothing, "");
        else if (cw_rdb_take_string(&cursor, &unpacked, &code) <= 0)
            result = refuse(error, "Failed loading library code", nothing, "");
        else if (cw_functions_load(functions, code, false, error) == NULL)
            result = ERR_INVALID;
    }
    buf_free(&unpacked);
    return result;
}
