/* values.h: comparing values of the register. */
#ifndef SENTINEL_CORE_VALUES_H
#define SENTINEL_CORE_VALUES_H

#include "common/ha/topology.h"

/* The same value, field by field: equal canonical texts. */
bool sn_values_equal(const struct topology *a, const struct topology *b);

/* Whether that sentinel votes under this value: it stands in the list, or in the previous one while there is one. */
bool sn_values_lists(const struct topology *value, const struct identity *sentinel);

#endif
