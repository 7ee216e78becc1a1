-- Products and users are as many as their last load said: nobody else wrote to the tables, and staging lost none.
-- `eydp forget` removes a user after a load, and says how many are left.
{{ config(store_failures=true) }}
with

loads as (

    select
        if(entity = 'forget', 'users', entity) as entity,
        loaded_count

    from {{ source('raw', 'load_audit') }}
    where
        entity in ('products', 'users', 'forget')
        and outcome = 'loaded'
    qualify row_number() over (partition by if(entity = 'forget', 'users', entity) order by finished_at desc) = 1

),

staged as (

    select
        'products' as entity,
        count(*) as row_count

    from {{ ref('stg_products') }}
    union all
    select
        'users' as entity,
        count(*) as row_count

    from {{ ref('stg_users') }}

)

select
    loads.entity,
    loads.loaded_count,
    staged.row_count

from loads
inner join staged
    on loads.entity = staged.entity
where loads.loaded_count != staged.row_count
