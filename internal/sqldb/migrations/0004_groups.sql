-- +goose Up

ALTER TABLE account_groups ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE account_groups ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
