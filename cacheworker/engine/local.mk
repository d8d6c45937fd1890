# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/engine/absent_commands.c cacheworker/engine/absent_commands.h \
	cacheworker/engine/apply.c \
	cacheworker/engine/aside.c cacheworker/engine/aside.h \
	cacheworker/engine/batch.c cacheworker/engine/batch.h \
	cacheworker/engine/bind.c cacheworker/engine/bind.h \
	cacheworker/engine/changes.c cacheworker/engine/changes.h \
	cacheworker/engine/client_commands.c cacheworker/engine/client_commands.h \
	cacheworker/engine/client_memory.c cacheworker/engine/client_memory.h \
	cacheworker/engine/command_commands.c cacheworker/engine/command_commands.h \
	cacheworker/engine/connection_commands.c cacheworker/engine/connection_commands.h \
	cacheworker/engine/debug_commands.c cacheworker/engine/debug_commands.h \
	cacheworker/engine/digest.c cacheworker/engine/digest.h \
	cacheworker/engine/dispatch.c cacheworker/engine/dispatch.h \
	cacheworker/engine/engine.c cacheworker/engine/engine.h \
	cacheworker/engine/gates.c cacheworker/engine/gates.h \
	cacheworker/engine/inspect.c cacheworker/engine/inspect.h \
	cacheworker/engine/interests.c cacheworker/engine/interests.h \
	cacheworker/engine/leaving.c cacheworker/engine/leaving.h \
	cacheworker/engine/loading.c cacheworker/engine/loading.h \
	cacheworker/engine/long_command.c cacheworker/engine/long_command.h \
	cacheworker/engine/marks.c cacheworker/engine/marks.h \
	cacheworker/engine/memory.c cacheworker/engine/memory.h \
	cacheworker/engine/nested.c cacheworker/engine/nested.h \
	cacheworker/engine/objects.c cacheworker/engine/objects.h \
	cacheworker/engine/owed.c cacheworker/engine/owed.h \
	cacheworker/engine/pending_writes.c cacheworker/engine/pending_writes.h \
	cacheworker/engine/output_limits.c cacheworker/engine/output_limits.h \
	cacheworker/engine/overlay.c cacheworker/engine/overlay.h \
	cacheworker/engine/parameters.def \
	cacheworker/engine/server_commands.c cacheworker/engine/server_commands.h \
	cacheworker/engine/wait.c cacheworker/engine/wait.h \
	cacheworker/engine/session.c cacheworker/engine/session.h \
	cacheworker/engine/settings.c cacheworker/engine/settings.h \
	cacheworker/engine/shutdown.c cacheworker/engine/shutdown.h \
	cacheworker/engine/state.h cacheworker/engine/version.h \
	cacheworker/engine/worker.c
