-- Tags, a pool and files of the demonstration company go for good as well.
GRANT DELETE ON tags, pools, attachments TO {{app}};
