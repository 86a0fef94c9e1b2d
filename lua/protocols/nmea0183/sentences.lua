-- Sentences with a fixed list of fields (NMEA 0183 V4.11, and the older ones that instruments still send), by their
-- formatter. Units that the standard fixes are in the names, or as design §3.2 has them.

local DEPTH = "depth_feet:n =f depth_meters:n =M depth_fathoms:n =F"
local BEARING = ":t :lat :lon bearing_true:n =T bearing_magnetic:n =M distance_nautical_miles:n =N destination_waypoint_id ffa_mode"
local TRACK = "bearing_true:n =T bearing_magnetic:n =M destination_waypoint_id origin_waypoint_id"
local WIND = "speed_knots:n =N speed_mps:n =M speed_kph:n =K"

return {
  AAM = "status_arrival_circle_entered=AV status_perpendicular_passed=AV arrival_circle_radius:n =N destination_waypoint_id",
  ABK = "mmsi channel message_id message_sequence_number:i acknowledgement_type:i",
  ACK = "alert_identifier:i",
  ACN = ":t manufacturer_mnemonic_code alert_identifier:i alert_instance:i command=AQOS state=C",
  ALA = ":t system_indicator sub_system_indicator instance_number:i alarm_type:i condition=NHJLXO alarm_ack_state=AVBHOU message",
  ALR = ":t alarm_identifier:i condition=AV state=AV description",
  APA = "status_general_warning=AV status_lock_warning=AV cross_track_error_magnitude:n direction_to_steer=LR cross_track_units=NKSM"
    .. " status_arrival_circle_entered=AV status_perpendicular_passed=AV bearing_origin_to_dest:n bearing_origin_to_dest_type=MT"
    .. " destination_waypoint_id",
  APB = "status_general_warning=AV status_lock_warning=AV cross_track_error_magnitude:n direction_to_steer=LR cross_track_units=NKSM"
    .. " status_arrival_circle_entered=AV status_perpendicular_passed=AV bearing_origin_to_dest:n bearing_origin_to_dest_type=MT"
    .. " destination_waypoint_id bearing_present_to_dest:n bearing_present_to_dest_type=MT heading:n heading_type=MT ffa_mode",
  ARC = ":t manufacturer_mnemonic_code alert_identifier:i alert_instance:i command=AQOS",
  BEC = BEARING, BWC = BEARING, BWR = BEARING,
  BOD = TRACK, BWW = TRACK,
  DBK = DEPTH, DBS = DEPTH, DBT = DEPTH,
  DOR = "message_type=ESF :t system_indicator division_indicator1 division_indicator2:i door_number_or_count:i door_status=OCFXN"
    .. " switch_setting=OCNX message",
  DPT = "depth:n offset:n range_scale:n",
  DTM = "local_datum_code local_datum_subcode latitude_offset_minute:ns longitude_offset_minute:ew altitude_offset_meters:n datum_name",
  EVE = ":t tag_code message",
  FIR = "message_type=ESFD :t system_indicator division_indicator1 division_indicator2:i fire_detector_number_or_count:i"
    .. " condition=ANVXU alarm_ack_state=AV message",
  FSI = "transmitting_frequency:i receiving_frequency:i communications_mode power_level:i sentence_status",
  GBS = ":t latitude_error:n longitude_error:n altitude_error:n failed_satellite:i probability:n bias:n bias_deviation:n"
    .. " system_id signal_id",
  GGA = ":t :lat :lon fix_quality=012345678 satellites:i hdop:n altitude:n =M separation:n =M dgps_age:n dgps_id",
  GLL = ":lat :lon :t validity=AV ffa_mode",
  GNS = ":t :lat :lon mode satellites:i hdop:n altitude:n separation:n age:n station:i nav_status",
  GST = ":t rms:n semi_major_error:n semi_minor_error:n orientation:n latitude_error:n longitude_error:n altitude_error:n",
  HBT = "interval:n operation_status=AV message_id:i",
  HDG = "heading:n deviation:ew variation:ew",
  HDM = "heading:n =M",
  HDT = "heading:n =T",
  HEV = "heave:n",
  HSC = "true_heading:n =T magnetic_heading:n =M",
  MDA = "pressure_inch:n =I pressure_bar:n =B air_temp:n =C water_temp:n =C relative_hum:n absolute_hum:n dew_point:n =C"
    .. " wind_direction_true:n =T wind_direction_magnetic:n =M wind_speed_knots:n =N wind_speed_meters:n =M",
  MHU = "relative_hum:n absolute_hum:n dew_point:n =C",
  MMB = "pressure_inch:n =I pressure_bar:n =B",
  MSK = "frequency:n frequency_mode=AM bit_rate:i bit_rate_mode=AM status_interval:n",
  MSS = "signal_strength:n snr:n frequency:n bit_rate:i channel:i",
  MTA = "temperature:n =C",
  MTW = "temperature:n =C",
  MWD = "wind_direction_true:n =T wind_direction_magnetic:n =M wind_speed_knots:n =N wind_speed_meters:n =M",
  MWV = "wind_angle:n reference=TR wind_speed:n wind_speed_unit=KMNS status=AV",
  OSD = "heading:n heading_status=AV vessel_true_course:n course_reference=BMWRP vessel_speed:n speed_reference=BMWRP"
    .. " vessel_set_true:n vessel_drift:n speed_units=KNS",
  RMB = "data_status=AV cross_track_error_nautical_miles:n direction_to_steer=LR origin_waypoint_id destination_waypoint_id"
    .. " destination_latitude:lat destination_longitude:lon range_to_destination_nautical_miles:n true_bearing_to_destination:n"
    .. " velocity_to_destination_knots:n arrival_status=AV ffa_mode",
  RMC = ":t validity=AV :lat :lon speed:knots course:n :date :variation ffa_mode nav_status",
  ROT = "rate_of_turn:n status=AV",
  RPM = "source=SE engine_number:i speed_rpm:n pitch_percent:n status=AV",
  RSA = "starboard_rudder_angle:n starboard_rudder_angle_status=AV port_rudder_angle:n port_rudder_angle_status=AV",
  RSD = "origin1_range:n origin1_bearing:n variable_range_marker1:n bearing_line1:n origin2_range:n origin2_bearing:n"
    .. " variable_range_marker2:n bearing_line2:n cursor_range_from_own_ship:n cursor_bearing_degrees:n range_scale:n"
    .. " range_unit=KNS display_rotation=CHN",
  STN = "talker_id_number:i",
  THS = "heading:n status=AEMSV",
  TLL = "target_number:i target_latitude:lat target_longitude:lon target_name :t target_status=LQT reference_target=R",
  TTM = "target_number:i target_distance:n bearing:n bearing_type=TR target_speed:n target_course:n course_type=TR distance_cpa:n"
    .. " time_cpa:n speed_units=KNS target_name target_status=LQT reference_target=R :t type_of_acquisition=AMR",
  VBW = "longitudinal_water_speed_knots:n transverse_water_speed_knots:n water_speed_status=AV longitudinal_ground_speed_knots:n"
    .. " transverse_ground_speed_knots:n ground_speed_status=AV stern_traverse_water_speed_knots:n"
    .. " stern_traverse_water_speed_status=AV stern_traverse_ground_speed_knots:n stern_traverse_ground_speed_status=AV",
  VDR = "set_degrees_true:n =T set_degrees_magnetic:n =M drift_knots:n =N",
  VHW = "true_heading:n =T magnetic_heading:n =M speed_through_water_knots:n =N speed_through_water_kph:n =K",
  VLW = "total_in_water:n =N since_reset_in_water:n =N total_on_ground:n =N since_reset_on_ground:n =N",
  VPW = "speed_knots:n =N speed_mps:n =M",
  VSD = "type_of_ship_and_cargo:i static_draught_meters:n persons_on_board:i destination estimated_arrival_time"
    .. " estimated_arrival_day:i estimated_arrival_month:i navigational_status:i regional_application:i",
  VWR = "measured_angle:n measured_direction_bow=LR " .. WIND,
  VWT = "true_angle:n true_direction_bow=LR " .. WIND,
  WPL = ":lat :lon ident",
  XTE = "status_general_warning=AV status_lock_warning=AV cross_track_error_magnitude:n direction_to_steer=LR cross_track_units=NKSM"
    .. " ffa_mode",
  XTR = "cross_track_error_magnitude:n direction_to_steer=LR cross_track_units=NKSM",
  ZFO = ":t elapsed_time origin_waypoint_id",
  ZTG = ":t time_to_go destination_waypoint_id",
}
