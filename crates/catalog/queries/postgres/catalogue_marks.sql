-- The latest change of each kind: one question tells whether there is anything to be read.
SELECT coalesce((SELECT max(p.revision) FROM product p), 0) AS products,
       coalesce((SELECT max(r.revision) FROM price_rule r), 0) AS rules,
       coalesce((SELECT max(l.revision) FROM list_price l), 0) AS prices
