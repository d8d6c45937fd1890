libcacheworker_core_a_SOURCES += \
	cacheworker/script/bit_library.c \
	cacheworker/script/function_commands.c cacheworker/script/function_commands.h \
	cacheworker/script/functions.c cacheworker/script/functions.h \
	cacheworker/script/guard.c cacheworker/script/guard.h \
	cacheworker/script/interpreter.c cacheworker/script/interpreter.h \
	cacheworker/script/json_library.c \
	cacheworker/script/keys_argument.h \
	cacheworker/script/libraries.c cacheworker/script/libraries.h \
	cacheworker/script/msgpack_library.c \
	cacheworker/script/redis_library.c cacheworker/script/redis_library.h \
	cacheworker/script/script_commands.c cacheworker/script/script_commands.h \
	cacheworker/script/scripting.c cacheworker/script/scripting.h \
	cacheworker/script/struct_library.c \
	cacheworker/script/values.c cacheworker/script/values.h
