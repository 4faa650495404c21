-- What a new embedded server holds besides what initdb makes: the database that Millrace's address names.
create database millrace;
