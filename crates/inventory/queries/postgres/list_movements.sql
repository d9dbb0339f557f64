-- Adjustments and movements of a SKU as one list, newest first, after the row named by $2 and $3.
-- Each half takes no more rows than the page needs.
SELECT id, kind, units, origin, target, order_id, reason, actor, at
FROM (
    (SELECT id, 'adjustment' AS kind, delta AS units, coalesce(location, 'main') AS origin,
            NULL::text AS target, NULL::uuid AS order_id, reason, actor, at
     FROM stock_adjustment
     WHERE sku = $1 AND (at, id) < ($2, $3)
     ORDER BY at DESC, id DESC
     LIMIT $4)
    UNION ALL
    (SELECT id, kind, units, origin, target, order_id, NULL, actor, at
     FROM stock_movement
     WHERE sku = $1 AND (at, id) < ($2, $3)
     ORDER BY at DESC, id DESC
     LIMIT $4)
) AS entry
ORDER BY at DESC, id DESC
LIMIT $4
