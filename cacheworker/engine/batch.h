/* batch.h: many commands at once (docs/ARCHITECTURE.md, the engine).
 *
 * All requests readable in a turn, over all ready sessions, are parsed first; their buckets and then their entries are
 * prefetched; then they are executed, per session in the order of arrival. So the cache misses of cold keys overlap
 * also where every client sends one command at a time. Batches are cut, and a session has a share of each turn, so
 * that nobody waits for a stranger's million commands. */
#ifndef CACHEWORKER_ENGINE_BATCH_H
#define CACHEWORKER_ENGINE_BATCH_H

struct cw_engine;
struct cw_batch;

struct cw_batch *cw_batch_create(void);
void cw_batch_free(struct cw_batch *batch);

/* Executes what the ready sessions asked, until there is nothing left, their share is used up or they must wait. */
void cw_batch_run(struct cw_engine *engine);

/* Hands requests of replicas to their room. They wait for nothing. */
void cw_batch_run_replicas(struct cw_engine *engine);

#endif
