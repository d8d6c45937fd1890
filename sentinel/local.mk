# sentinel/: the quorum.
noinst_LIBRARIES += libsentinel_core.a
libsentinel_core_a_SOURCES = sentinel/core/sentinel.h
