-- Nobody takes a colleague or a department away by a plain statement. Of the demonstration company, and only who has no way in, no role
-- and nothing that points at them, these functions do. They answer whether it is gone.
REVOKE DELETE ON person, department FROM {{app}};

CREATE FUNCTION public.demo_remove_person(gone uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM public.person p
   WHERE p.id = gone
     AND EXISTS (SELECT FROM public.demo_batch b WHERE b.noun = 'person' AND gone = ANY (b.ids))
     AND NOT EXISTS (SELECT FROM public.factor f WHERE f.person_id = gone)
     AND NOT EXISTS (SELECT FROM public.person_role r WHERE r.person_id = gone);
  RETURN FOUND;
EXCEPTION WHEN foreign_key_violation THEN
  RETURN false;
END
$$;

CREATE FUNCTION public.demo_remove_department(gone uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM public.department d
   WHERE d.id = gone AND EXISTS (SELECT FROM public.demo_batch b WHERE b.noun = 'department' AND gone = ANY (b.ids));
  RETURN FOUND;
EXCEPTION WHEN foreign_key_violation THEN
  RETURN false;
END
$$;

REVOKE ALL ON FUNCTION public.demo_remove_person(uuid), public.demo_remove_department(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.demo_remove_person(uuid), public.demo_remove_department(uuid) TO {{app}};
