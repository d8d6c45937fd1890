# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/txn/transaction.c cacheworker/txn/transaction.h \
	cacheworker/txn/transaction_commands.c cacheworker/txn/transaction_commands.h \
	cacheworker/txn/watch.c cacheworker/txn/watch.h
