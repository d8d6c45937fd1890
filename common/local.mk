# common/: what is true of two daemons or more. The core archive is pure; tests/tidy checks it with nm.
noinst_LIBRARIES += libcommon_core.a libcommon_shell.a

libcommon_core_a_SOURCES = \
	common/base/address.c common/base/address.h \
	common/base/buf.c common/base/buf.h \
	common/base/check.c common/base/check.h \
	common/base/crc32c.c common/base/crc32c.h \
	common/base/crc64.c common/base/crc64.h \
	common/base/door.c common/base/door.h \
	common/base/errors.c common/base/errors.h \
	common/base/fiber.c common/base/fiber.h \
	common/base/glob.c common/base/glob.h \
	common/base/grisu.c common/base/grisu.h \
	common/base/hashmap.c common/base/hashmap.h \
	common/base/heap.c common/base/heap.h \
	common/base/list.h \
	common/base/mem.c common/base/mem.h \
	common/base/number.c common/base/number.h \
	common/base/rand.c common/base/rand.h \
	common/base/sha256.c common/base/sha256.h \
	common/base/sha1.c common/base/sha1.h \
	common/base/siphash.c common/base/siphash.h \
	common/base/slice.h \
	common/base/throttle.c common/base/throttle.h \
	common/conf/conf_schema.c common/conf/conf_schema.h \
	common/conf/redis_conf.c common/conf/redis_conf.h \
	common/base/sm.c common/base/sm.h \
	common/resp/resp_limits.h \
	common/resp/resp_reader.c common/resp/resp_reader.h \
	common/resp/resp_writer.c common/resp/resp_writer.h \
	common/command/command.c common/command/command.h \
	common/command/command_arguments.c common/command/command_arguments.h \
	common/command/command_hash.h common/command/command_id.h common/command/command_table.def \
	common/command/command_keys.c \
	common/command/command_table.c \
	common/ha/lease.c common/ha/lease.h \
	common/ha/messages.c common/ha/messages.h \
	common/ha/refusals.c common/ha/refusals.h \
	common/ha/topology.c common/ha/topology.h

libcommon_shell_a_SOURCES = \
	common/shell/clock.h \
	common/shell/conf_libconfig.c common/shell/conf_libconfig.h \
	common/shell/conn.c common/shell/conn.h \
	common/shell/daemon.c common/shell/daemon.h \
	common/shell/file_atomic.c common/shell/file_atomic.h \
	common/shell/file_thread.c common/shell/file_thread.h \
	common/shell/host.c common/shell/host.h \
	common/shell/libevent.h \
	common/shell/listener.c common/shell/listener.h \
	common/shell/log_sink.c common/shell/log_sink.h \
	common/shell/net_address.c common/shell/net_address.h \
	common/shell/storage_directory.c common/shell/storage_directory.h
libcommon_shell_a_CFLAGS = $(AM_CFLAGS) $(LIBEVENT_CFLAGS) $(LIBCONFIG_CFLAGS)

# What a daemon links beside its core.
SHELL_LIBS = libcommon_shell.a libcommon_core.a $(LIBEVENT_LIBS) $(LIBCONFIG_LIBS) -lm

# The hash table of command.c is found while building, by a program that links nothing of ours.
noinst_PROGRAMS += common/command/command_slots
common_command_command_slots_SOURCES = \
	common/command/command_slots.c common/command/command_hash.h common/command/command_id.h
common/command/command_slots.inc: common/command/command_slots$(EXEEXT)
	$(AM_V_GEN)$(EMULATOR) common/command/command_slots$(EXEEXT) >$@.tmp && mv $@.tmp $@
common/command/command.$(OBJEXT): common/command/command_slots.inc
CLEANFILES += common/command/command_slots.inc
