-- SPDX-License-Identifier: BSD-2-Clause
create table item(id integer primary key, class integer, price real, name text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 15000)
insert into item select i, i * 7919 % 211, (i * 104729 % 10007) / 7.0, printf('item %06d', i * 31 % 20011) from n;
create index by_class on item(class);
create index by_name on item(name);
select class, count(*), round(sum(price), 3), min(name) from item group by class order by 3 desc limit 5;
select count(*), round(avg(a.price - b.price), 6) from item a join item b on a.class = b.class and a.id < b.id
	where a.id % 40 = 0;
update item set price = price * 1.07 where name like 'item 01%';
delete from item where id % 3 = 0;
select count(*), round(total(price), 3), max(length(name || class)) from item;
select name from item where price > (select avg(price) from item) order by name limit 3 offset 1000;
